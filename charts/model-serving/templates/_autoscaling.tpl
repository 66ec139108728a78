{{/*
What an autoscaler may do while two versions live. Takes the number of live versions.
*/}}
{{- define "model-serving.scaleDown" -}}
{{- if gt (int .) 1 }}
# Either version may have to carry everything at the next commit: capacity only grows during a rollout.
behavior:
  scaleDown:
    selectPolicy: Disabled
{{- end }}
{{- end }}

{{/*
The matchers of one version's series. Takes {root, live}.
*/}}
{{- define "model-serving.series" -}}
namespace="{{ .root.Release.Namespace }}",model="{{ .live.model }}",model_version="{{ .live.version }}"
{{- end }}

{{/*
A query of one number, for KEDA. Where pods are read and there is nothing to count, it is 0. Where no pod is read it is
nothing, which KEDA takes for a fault and not for rest: it keeps the pods. Takes {root, live, query}.
*/}}
{{- define "model-serving.number" -}}
({{ .query }}) or 0 * count(up{ {{- include "model-serving.series" . -}} } == 1)
{{- end }}

{{/*
The triggers of one version's ScaledObject. Takes {root, live}.
*/}}
{{- define "model-serving.triggers" -}}
{{- $keda := .root.Values.autoscaling.keda }}
{{- $series := include "model-serving.series" . }}
{{- $delays := ":tensorflow:serving:batching_session:queuing_latency_bucket" }}
{{- $triggers := list
      (dict "threshold" $keda.requestsPerSecond "type" "AverageValue"
            "query" (printf "sum(rate(:tensorflow:serving:request_count{%s}[1m]))" $series))
      (dict "threshold" $keda.latencyMilliseconds "type" "Value"
            "query" (printf "histogram_quantile(0.99, sum by (le) (rate(:tensorflow:serving:request_latency_bucket{%s}[1m]))) / 1000 >= 0" $series))
      (dict "threshold" $keda.queueDelayMilliseconds "type" "Value"
            "query" (printf "histogram_quantile(0.9, sum by (le) (rate(%s{%s}[1m]))) / 1000 >= 0" $delays $series)) }}
{{- range $triggers }}
{{- if .threshold }}
- type: prometheus
  metricType: {{ .type }}
  metadata:
    serverAddress: {{ $keda.prometheus }}
    query: {{ include "model-serving.number" (dict "root" $.root "live" $.live "query" .query) | squote }}
    threshold: {{ .threshold | toString | quote }}
    # Silence is no reason to take pods away.
    ignoreNullValues: "false"
  {{- with $keda.authenticationRef }}
  authenticationRef:
    name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}
{{- end }}
