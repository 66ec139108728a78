{{/*
Labels that select the pods of one version. They never name a track, so that a version keeps its pods when it is
promoted. Takes {model, version}.
*/}}
{{- define "model-serving.selectorLabels" -}}
app.kubernetes.io/name: model-serving
model: {{ .model }}
model-version: {{ .version | quote }}
{{- end }}

{{/*
Labels of every object. Takes the root context.
*/}}
{{- define "model-serving.labels" -}}
app.kubernetes.io/name: model-serving
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
model: {{ .Values.model.name }}
{{- end }}

{{/*
The live versions, stable first, as a JSON list of {name, model, version, weight, replicas}. Empty before the first
version. Takes the root context.

`version` is text: a number would come back from JSON as a float. `weight` is a percentage, and all weights together
are 100. `replicas` is the fewest pods: what the release asks for, and for stable at least what people do.
*/}}
{{- define "model-serving.live" -}}
{{- $model := .Values.model.name }}
{{- $release := .Values.release | default dict }}
{{- $stable := $release.stable }}
{{- $canary := $release.canary }}
{{- $live := list }}
{{- with $stable }}
  {{- $version := .version | int64 | toString }}
  {{- $people := ternary $.Values.autoscaling.minReplicas $.Values.replicaCount $.Values.autoscaling.enabled }}
  {{- $weight := sub 100 (dig "weight" 0 ($canary | default dict) | int) }}
  {{- $live = append $live (dict
        "name" (printf "%s-v%s" $model $version) "model" $model "version" $version
        "weight" $weight "replicas" (max (int $people) (.replicas | default 0 | int))) }}
{{- end }}
{{- with $canary }}
  {{- if eq (int64 .version) (int64 $stable.version) }}
    {{- fail (printf "release.canary.version: %d is stable already; take the canary away" (int64 .version)) }}
  {{- end }}
  {{- $version := .version | int64 | toString }}
  {{- $live = append $live (dict
        "name" (printf "%s-v%s" $model $version) "model" $model "version" $version
        "weight" (int .weight) "replicas" (int .replicas)) }}
{{- end }}
{{- toJson $live }}
{{- end }}
