{{/*
What the schema cannot say: values that do not fit together fail here, with their path and the remedy. Takes the root
context.
*/}}
{{- define "model-serving.refusals" -}}
{{- $values := .Values }}
{{- $release := $values.release | default dict }}
{{- $policy := $values.model.versionPolicy }}

{{- /* What is served. */}}
{{- if and (ne $policy "release") (or $release.stable $release.canary) }}
  {{- fail (printf "model.versionPolicy: %s would pass the canary by; a model with a release takes its versions from there, so leave this key out" $policy) }}
{{- end }}
{{- if and (eq $policy "specific") (not $values.model.version) }}
  {{- fail "model.version: the policy `specific` needs the number of the version to serve" }}
{{- end }}
{{- if and (ne $policy "specific") $values.model.version }}
  {{- fail (printf "model.version: is read with model.versionPolicy `specific` only, and this is `%s`" $policy) }}
{{- end }}
{{- if and $release.stable $release.canary }}
  {{- if eq (int64 $release.canary.version) (int64 $release.stable.version) }}
    {{- fail (printf "release.canary.version: %d is stable already; take the canary away" (int64 $release.canary.version)) }}
  {{- end }}
{{- end }}

{{- /* The store. */}}
{{- if hasPrefix "s3://" $values.model.storageUri }}
  {{- if not $values.storage.s3.fetchImage }}
    {{- fail "storage.s3.fetchImage: TensorFlow Serving reads no s3:// since 2.7; name the promoter's image, whose `promoter fetch` copies a version before the server starts" }}
  {{- end }}
  {{- if eq $policy "latest" }}
    {{- fail "model.versionPolicy: `latest` needs a store that the server itself reads; from s3:// one version is copied before it starts. Use gs://, file:// or `specific`" }}
  {{- end }}
  {{- if and (eq $policy "specific") (not $values.model.digest) }}
    {{- fail "model.digest: what is copied from s3:// is checked; `promoter versions` tells the digest of each version" }}
  {{- end }}
{{- end }}
{{- if and $values.storage.gcs.secretName (not (hasPrefix "gs://" $values.model.storageUri)) }}
  {{- fail "storage.gcs.secretName: is the key to a store gs://, and model.storageUri is none" }}
{{- end }}
{{- if $values.externalSecret.store }}
  {{- if not (include "model-serving.storeSecret" .) }}
    {{- fail "externalSecret.store: name the Secret to make, in storage.gcs.secretName or storage.s3.secretName" }}
  {{- end }}
  {{- if not $values.externalSecret.data }}
    {{- fail "externalSecret.data: say which key of the Secret comes from which entry of the store" }}
  {{- end }}
{{- end }}

{{- /* The server. */}}
{{- $tag := regexFind "^[0-9]+\\.[0-9]+" $values.image.tag }}
{{- if and $tag (semverCompare "<2.15.0" (printf "%s.0" $tag)) }}
  {{- fail (printf "image.tag: %s has no gRPC health service, so its pods would never be Ready; take 2.15 or newer" $values.image.tag) }}
{{- end }}
{{- with $values.batching }}
  {{- $below := 0 }}
  {{- range .allowedBatchSizes }}
    {{- if le (int .) $below }}
      {{- fail (printf "batching.allowedBatchSizes: %d follows %d; they must rise" (int .) $below) }}
    {{- end }}
    {{- $below = int . }}
  {{- end }}
  {{- if and .allowedBatchSizes (ne $below (int .maxBatchSize)) }}
    {{- fail (printf "batching.allowedBatchSizes: the last is %d and must be batching.maxBatchSize, %d; TensorFlow Serving would not load a model" $below (int .maxBatchSize)) }}
  {{- end }}
{{- end }}

{{- /* Pods. */}}
{{- if gt (int $values.autoscaling.minReplicas) (int $values.autoscaling.maxReplicas) }}
  {{- fail (printf "autoscaling.maxReplicas: %d is below autoscaling.minReplicas, %d" (int $values.autoscaling.maxReplicas) (int $values.autoscaling.minReplicas)) }}
{{- end }}
{{- with $values.autoscaling.keda }}
{{- if eq $values.autoscaling.kind "keda" }}
  {{- if not .prometheus }}
    {{- fail "autoscaling.keda.prometheus: KEDA needs the address of Prometheus, as http://prometheus-operated.monitoring:9090" }}
  {{- end }}
  {{- if not (or .requestsPerSecond .latencyMilliseconds .queueDelayMilliseconds) }}
    {{- fail "autoscaling.keda: set what to scale by: requestsPerSecond, latencyMilliseconds or queueDelayMilliseconds" }}
  {{- end }}
  {{- if and .queueDelayMilliseconds (not $values.batching.enabled) }}
    {{- fail "autoscaling.keda.queueDelayMilliseconds: only a server with batching.enabled has a queue" }}
  {{- end }}
  {{- if not $values.monitoring.enabled }}
    {{- fail "autoscaling.kind: keda asks Prometheus, which reads the pods only with monitoring.enabled" }}
  {{- end }}
{{- end }}
{{- end }}

{{- /* The route. */}}
{{- with $values.route }}
  {{- $timeout := trimSuffix "s" .timeout | int }}
  {{- if lt (add 5 (int $values.terminationDrainSeconds)) $timeout }}
    {{- fail (printf "terminationDrainSeconds: a pod is killed %d s after it is told to leave, in the middle of requests that route.timeout lets take %d s; set it to %d" (add 5 (int $values.terminationDrainSeconds)) $timeout (add 5 $timeout)) }}
  {{- end }}
  {{- if ne .kind "istio" }}
    {{- range $key := list "callers" "jwt" "access" }}
      {{- if index $values.route $key }}
        {{- fail (printf "route.%s: is Istio's; with route.kind `%s` do it at the gateway" $key $values.route.kind) }}
      {{- end }}
    {{- end }}
    {{- if .rateLimit.requestsPerSecond }}
      {{- fail (printf "route.rateLimit: is Istio's; with route.kind `%s` do it at the gateway" .kind) }}
    {{- end }}
    {{- if .retries.attempts }}
      {{- fail (printf "route.retries.attempts: is Istio's; with route.kind `%s` requests are asked once" .kind) }}
    {{- end }}
  {{- end }}
  {{- if eq .kind "gateway-api" }}
    {{- range .gateways }}
      {{- if not (contains "/" .) }}
        {{- fail (printf "route.gateways: %s needs its namespace, as namespace/%s" . .) }}
      {{- end }}
    {{- end }}
    {{- range .grpcHosts }}
      {{- if has . $values.route.hosts }}
        {{- fail (printf "route.grpcHosts: %s is in route.hosts too; the Gateway API lets a host be of an HTTPRoute or of a GRPCRoute, not of both" .) }}
      {{- end }}
    {{- end }}
  {{- else if .grpcHosts }}
    {{- fail (printf "route.grpcHosts: is for route.kind gateway-api; with `%s` route.hosts take both protocols" .kind) }}
  {{- end }}
{{- end }}

{{- /* Golden requests. */}}
{{- with $values.goldenTraffic }}
{{- if .enabled }}
  {{- if ne $policy "release" }}
    {{- fail "goldenTraffic.enabled: golden requests are evidence for rollouts, and without a release there are none; leave model.versionPolicy out" }}
  {{- end }}
  {{- if eq $values.route.kind "none" }}
    {{- fail "goldenTraffic.enabled: with route.kind `none` nothing splits the requests; take istio or gateway-api" }}
  {{- end }}
  {{- if not .image }}
    {{- fail "goldenTraffic.image: name the promoter's image, whose `promoter golden send` sends the requests" }}
  {{- end }}
  {{- if not .url }}
    {{- fail "goldenTraffic.url: name where callers send their requests: the gateway, as http://gateway.istio-ingress, or inside a mesh a host of the route" }}
  {{- end }}
  {{- if not .requestsPerSecond }}
    {{- fail "goldenTraffic.requestsPerSecond: say how many; `promoter check` tells how long a rollout takes with it" }}
  {{- end }}
  {{- if and (not .host) (hasPrefix "*" (first $values.route.hosts)) }}
    {{- fail (printf "goldenTraffic.host: the route's first host, %s, is none to ask for; name one" (first $values.route.hosts)) }}
  {{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/*
The name of the Secret with the store's credentials, empty without one. Takes the root context.
*/}}
{{- define "model-serving.storeSecret" -}}
{{- ternary .Values.storage.s3.secretName .Values.storage.gcs.secretName (hasPrefix "s3://" .Values.model.storageUri) }}
{{- end }}
