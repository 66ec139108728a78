{{/*
Whether a release says what is served. Otherwise the chart stands alone, with one Deployment. Takes the root context.
*/}}
{{- define "model-serving.released" -}}
{{- if eq .Values.model.versionPolicy "release" }}true{{ end }}
{{- end }}

{{/*
Labels that select the pods of one version. They never name a track, so that a version keeps its pods when it is
promoted. Where the chart stands alone, versions follow each other in one Deployment, whose selector names none. Takes
one of the live versions.
*/}}
{{- define "model-serving.selectorLabels" -}}
app.kubernetes.io/name: model-serving
model: {{ .model }}
{{- if .selected }}
model-version: {{ .version | quote }}
{{- end }}
{{- end }}

{{/*
Labels of a version's pods. Takes one of the live versions.
*/}}
{{- define "model-serving.podLabels" -}}
app.kubernetes.io/name: model-serving
model: {{ .model }}
model-version: {{ .version | quote }}
{{- end }}

{{/*
Labels that select the pods of all versions. Takes the root context.
*/}}
{{- define "model-serving.modelLabels" -}}
app.kubernetes.io/name: model-serving
model: {{ .Values.model.name }}
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
The live versions, stable first, as a JSON list of {name, model, version, digest, weight, replicas, selected, pinned}.
Empty before the first version. Takes the root context.

`version` is text: a number would come back from JSON as a float. `weight` is a percentage, and all weights together
are 100. `replicas` is the fewest pods: what the release asks for, and for stable at least what people do. `selected`
says whether the pods' version is in their Deployment's selector, `pinned` whether the server is held to one version.
*/}}
{{- define "model-serving.live" -}}
{{- $model := .Values.model.name }}
{{- $people := ternary .Values.replicaCount .Values.autoscaling.minReplicas (eq .Values.autoscaling.kind "none") }}
{{- $live := list }}
{{- if include "model-serving.released" . }}
  {{- $release := .Values.release | default dict }}
  {{- $stable := $release.stable }}
  {{- $canary := $release.canary }}
  {{- with $stable }}
    {{- $version := .version | int64 | toString }}
    {{- $weight := sub 100 (dig "weight" 0 ($canary | default dict) | int) }}
    {{- $live = append $live (dict
          "name" (printf "%s-v%s" $model $version) "model" $model "version" $version "digest" .digest
          "weight" $weight "replicas" (max (int $people) (.replicas | default 0 | int))
          "selected" true "pinned" true) }}
  {{- end }}
  {{- with $canary }}
    {{- $version := .version | int64 | toString }}
    {{- $live = append $live (dict
          "name" (printf "%s-v%s" $model $version) "model" $model "version" $version "digest" .digest
          "weight" (int .weight) "replicas" (int .replicas) "selected" true "pinned" true) }}
  {{- end }}
{{- else }}
  {{- $pinned := eq .Values.model.versionPolicy "specific" }}
  {{- $live = append $live (dict
        "name" $model "model" $model "digest" .Values.model.digest
        "version" (ternary (.Values.model.version | int64 | toString) "latest" $pinned)
        "weight" 100 "replicas" (int $people) "selected" false "pinned" $pinned) }}
{{- end }}
{{- toJson $live }}
{{- end }}

{{/*
The canary's entry among the live versions, as JSON; empty without one. Takes the root context.
*/}}
{{- define "model-serving.canary" -}}
{{- $live := include "model-serving.live" . | fromJsonArray }}
{{- if eq (len $live) 2 }}{{ last $live | toJson }}{{ end }}
{{- end }}

{{/*
An image's reference, from {repository, tag, digest}.
*/}}
{{- define "model-serving.image" -}}
{{ .repository }}:{{ .tag }}{{ with .digest }}@{{ . }}{{ end }}
{{- end }}

{{/*
The name of the pods' service account. Takes the root context.
*/}}
{{- define "model-serving.serviceAccount" -}}
{{- with .Values.serviceAccount }}{{ ternary (.name | default $.Values.model.name) (.name | default "default") .create }}{{ end }}
{{- end }}

{{/*
The namespaces of the route's gateways, as a JSON list. Takes the root context.
*/}}
{{- define "model-serving.gatewayNamespaces" -}}
{{- $found := list }}
{{- range .Values.route.gateways }}
  {{- if contains "/" . }}{{ $found = append $found (splitList "/" . | first) }}{{ end }}
{{- end }}
{{- $found | uniq | toJson }}
{{- end }}
