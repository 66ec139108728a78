{{/*
Where the versions are, as the server reads it: a URI that it knows, or a path. Takes the root context.
*/}}
{{- define "model-serving.basePath" -}}
{{- $uri := .Values.model.storageUri | trimSuffix "/" }}
{{- if hasPrefix "file://" $uri }}{{ (urlParse $uri).path }}{{ else }}{{ $uri }}{{ end }}
{{- end }}

{{/*
The configuration files of one version's server. The ConfigMap holds them and the pod template their checksum, so that
a change of this text restarts the pods of this version, and nothing else does. Takes {root, live}.
*/}}
{{- define "model-serving.config" -}}
models.config: |
  model_config_list {
    config {
      name: {{ .live.model | quote }}
      base_path: {{ include "model-serving.basePath" .root | quote }}
      model_platform: "tensorflow"
      model_version_policy {
        specific {
          versions: {{ .live.version }}
        }
      }
    }
  }
monitoring.config: |
  prometheus_config {
    enable: true
    path: "/monitoring/prometheus/metrics"
  }
{{- end }}

{{/*
Whole CPUs of the container's limit, rounded up. The server would count the node's. Takes the root context.
*/}}
{{- define "model-serving.cpus" -}}
{{- $limit := .Values.resources.limits.cpu | toString }}
{{- $cpus := $limit | float64 }}
{{- if hasSuffix "m" $limit }}
  {{- $cpus = divf ($limit | trimSuffix "m" | float64) 1000 }}
{{- end }}
{{- ceil $cpus | int | max 1 }}
{{- end }}
