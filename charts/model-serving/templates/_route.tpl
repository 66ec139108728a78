{{/*
The rules of the route that are for some requests only, first match first, as a JSON list of {name, live, header, value,
namespace, labels}. A rule for a version that is not there is left out: its requests are split like all others. Takes
the root context.
*/}}
{{- define "model-serving.pinnedRules" -}}
{{- $rules := list }}
{{- $live := include "model-serving.live" . | fromJsonArray }}
{{- range $index, $rule := concat .Values.route.headers .Values.route.callers }}
  {{- $entry := dict }}
  {{- if eq .to "stable" }}{{ $entry = first $live }}{{ else if eq (len $live) 2 }}{{ $entry = last $live }}{{ end }}
  {{- if $entry }}
    {{- $rules = append $rules (merge (dict "name" (printf "%s-%d" .to $index) "live" $entry) $rule) }}
  {{- end }}
{{- end }}
{{- toJson $rules }}
{{- end }}

{{/*
The canary, as JSON, where its requests are copied to it before any is given to it: at weight 0, and not after its weight
was taken back. Takes the root context.
*/}}
{{- define "model-serving.mirrored" -}}
{{- $canary := include "model-serving.canary" . }}
{{- if and $canary .Values.route.mirror.percent }}
  {{- $released := .Values.release.canary }}
  {{- if and (eq (int $released.weight) 0) (not $released.withdrawn) }}{{ $canary }}{{ end }}
{{- end }}
{{- end }}

{{/*
Where Istio's requests of one rule go. Takes {live: list, port}.
*/}}
{{- define "model-serving.destinations" -}}
{{- range .live }}
- destination:
    host: {{ .name }}
    port:
      number: {{ $.port }}
  weight: {{ int .weight }}
  {{- if .pinned }}
  headers:
    response:
      set:
        x-model-version: {{ .version | quote }}
  {{- end }}
{{- end }}
{{- end }}

{{/*
How long Istio waits for one rule's requests, and how often it asks. Takes the values of `route`.
*/}}
{{- define "model-serving.patience" -}}
timeout: {{ .timeout }}
# The mesh's own default is two retries, which would hide a canary's failures by asking stable.
retries:
  attempts: {{ int .retries.attempts }}
  {{- if .retries.attempts }}
  retryOn: {{ join "," .retries.on }}
  {{- end }}
{{- end }}

{{/*
The gateways as the Gateway API names them. Takes the root context.
*/}}
{{- define "model-serving.parentRefs" -}}
{{- range .Values.route.gateways }}
{{- $parts := splitList "/" . }}
- group: gateway.networking.k8s.io
  kind: Gateway
  namespace: {{ index $parts 0 }}
  name: {{ index $parts 1 }}
  {{- if gt (len $parts) 2 }}
  sectionName: {{ index $parts 2 }}
  {{- end }}
{{- end }}
{{- end }}

{{/*
Where the Gateway API's requests of one rule go. Takes {live: list, port}.

Nothing that differs from one backend to the next, such as a header with the version: Envoy Gateway makes of that a cluster
for each backend, takes the cluster away when its weight becomes 0, and answers 503 until its route follows
(envoyproxy/gateway issue 6287). Otherwise a rule has one cluster, of which only endpoints and weights change.
*/}}
{{- define "model-serving.backends" -}}
{{- range .live }}
- group: ""
  kind: Service
  name: {{ .name }}
  port: {{ $.port }}
  weight: {{ int .weight }}
{{- end }}
{{- end }}

{{/*
The Gateway API's copy of requests to the canary. Takes {root, port}.
*/}}
{{- define "model-serving.mirrorFilter" -}}
{{- with include "model-serving.mirrored" .root }}
{{- $canary := fromJson . }}
filters:
  - type: RequestMirror
    requestMirror:
      backendRef:
        group: ""
        kind: Service
        name: {{ $canary.name }}
        port: {{ $.port }}
      {{- if lt (int $.root.Values.route.mirror.percent) 100 }}
      percent: {{ int $.root.Values.route.mirror.percent }}
      {{- end }}
{{- end }}
{{- end }}
