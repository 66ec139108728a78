{{/*
Labels of the answer of an alert's query, for alerts that speak of what is absent. Takes {root, version}.
*/}}
{{- define "model-serving.alertLabels" -}}
namespace: {{ .root.Release.Namespace }}
model: {{ .root.Values.model.name }}
{{- with .version }}
model_version: {{ . | quote }}
{{- end }}
{{- end }}

{{/*
One alert's annotations: what is wrong, in a line and in a sentence, and where the runbook says what to do. Takes {root,
alert, summary, description}.
*/}}
{{- define "model-serving.alertAnnotations" -}}
summary: {{ .summary | quote }}
description: {{ .description | quote }}
runbook_url: {{ printf "%s#%s" .root.Values.monitoring.rules.runbookUrl (lower .alert) | quote }}
{{- end }}

{{/*
The burn of the error budget over two windows: the long one says that it matters, the short one that it still goes on.
Takes {selector, factor, budget, long, short}.
*/}}
{{- define "model-serving.burn" -}}
{{- range $index, $window := list .long .short }}
{{- if $index }}
and
{{ end -}}
model_version:serving_failures:ratio_rate{{ $window }}{{ print "{" $.selector "}" }} > {{ $.factor }} * {{ $.budget }}
{{- end }}
{{- end }}
