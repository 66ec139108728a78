{{/*
Where the versions are, as the server reads it: a URI that it knows, or a path. Takes the root context.
*/}}
{{- define "model-serving.basePath" -}}
{{- $uri := .Values.model.storageUri | trimSuffix "/" }}
{{- if hasPrefix "file://" $uri }}{{ (urlParse $uri).path }}
{{- else if hasPrefix "s3://" $uri }}/models/{{ .Values.model.name }}
{{- else }}{{ $uri }}{{ end }}
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
        {{- if .live.pinned }}
        specific {
          versions: {{ .live.version }}
        }
        {{- else }}
        latest {
          num_versions: 1
        }
        {{- end }}
      }
    }
  }
monitoring.config: |
  prometheus_config {
    enable: true
    path: "/monitoring/prometheus/metrics"
  }
{{- with .root.Values.batching }}
{{- if .enabled }}
{{- $cpus := include "model-serving.cpus" $.root | int }}
{{- $threads := .numBatchThreads | default $cpus | int }}
batching.config: |
  max_batch_size { value: {{ int .maxBatchSize }} }
  batch_timeout_micros { value: {{ int .batchTimeoutMicros }} }
  max_enqueued_batches { value: {{ .maxEnqueuedBatches | default $threads | int }} }
  num_batch_threads { value: {{ $threads }} }
  {{- range .allowedBatchSizes }}
  allowed_batch_sizes: {{ int . }}
  {{- end }}
  {{- if .padVariableLengthInputs }}
  pad_variable_length_inputs: true
  {{- end }}
{{- end }}
{{- end }}
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

{{/*
The server's flags, one a line. Takes the root context.

Calls: enough threads that a call waits for a CPU, where it is measured, and is not refused, where it is not; and one
for each request of two batches, since a batch is never larger than the calls that are under way.
*/}}
{{- define "model-serving.flags" -}}
{{- $cpus := include "model-serving.cpus" . | int }}
{{- $calls := mul 16 $cpus | int }}
{{- if .Values.batching.enabled }}{{ $calls = max $calls (mul 2 (int .Values.batching.maxBatchSize)) }}{{ end }}
- --port=8500
- --rest_api_port=8501
- --model_config_file=/etc/model-server/models.config
- --monitoring_config_file=/etc/model-server/monitoring.config
- --enable_grpc_healthcheck_service=true
- --enable_profiler=false
- --enable_model_warmup={{ .Values.warmup.enabled }}
{{- if gt (int .Values.warmup.iterations) 1 }}
- --num_request_iterations_for_warmup={{ int .Values.warmup.iterations }}
{{- end }}
# 0 would wait for ever on a late upload; every second would be a needless call to the store.
- --file_system_poll_wait_seconds=30
# A version that does not load fails within seconds, not after five minutes of silence.
- --max_num_load_retries=1
- --load_retry_interval_micros=5000000
{{- with .Values.threads }}
- --tensorflow_intra_op_parallelism={{ .intraOp | default $cpus | int }}
- --tensorflow_inter_op_parallelism={{ .interOp | default $cpus | int }}
- --grpc_max_threads={{ .grpc | default $calls | int }}
- --rest_api_num_threads={{ .rest | default $calls | int }}
{{- end }}
- --rest_api_timeout_in_ms={{ mul 1000 (.Values.route.timeout | trimSuffix "s" | int) }}
{{- if .Values.batching.enabled }}
- --enable_batching=true
- --batching_parameters_file=/etc/model-server/batching.config
{{- end }}
{{- end }}

{{/*
The environment of the server: where its key to Cloud Storage lies, and what people add. Takes the root context.
*/}}
{{- define "model-serving.env" -}}
{{- if .Values.storage.gcs.secretName }}
- name: GOOGLE_APPLICATION_CREDENTIALS
  value: /etc/gcs/{{ .Values.storage.gcs.secretKey }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/*
The init container for s3://: copies the version and checks its digest, since the server reads no s3:// from 2.7 on.
Takes {root, live}.
*/}}
{{- define "model-serving.fetch" -}}
{{- $storage := .root.Values.storage.s3 }}
- name: fetch
  image: {{ $storage.fetchImage }}
  command: ["promoter"]
  args:
    - fetch
    - {{ printf "%s/%s" (.root.Values.model.storageUri | trimSuffix "/") .live.version | quote }}
    - {{ printf "%s/%s" (include "model-serving.basePath" .root) .live.version | quote }}
    - --digest={{ .live.digest }}
  {{- with $storage.secretName }}
  # AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, for this container alone.
  envFrom:
    - secretRef:
        name: {{ . }}
  {{- end }}
  {{- with include "model-serving.s3Env" .root | trim }}
  env:
    {{- . | nindent 4 }}
  {{- end }}
  resources:
    {{- /* What the server is given it uses later: a pod's size is the larger of both. */}}
    requests:
      cpu: 100m
      memory: 256Mi
    limits:
      memory: 1Gi
  securityContext:
    {{- include "model-serving.containerSecurity" . | nindent 4 }}
  volumeMounts:
    - name: model
      mountPath: {{ include "model-serving.basePath" .root | quote }}
    - name: tmp
      mountPath: /tmp
{{- end }}

{{/*
The variables that tell a container of the promoter's image where its s3:// store is. Takes the root context.
*/}}
{{- define "model-serving.s3Env" -}}
{{- with .Values.storage.s3.region }}
- name: AWS_REGION
  value: {{ . | quote }}
{{- end }}
{{- with .Values.storage.s3.endpoint }}
- name: AWS_ENDPOINT_URL_S3
  value: {{ . | quote }}
{{- end }}
{{- end }}

{{/*
What every container may not do.
*/}}
{{- define "model-serving.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: ["ALL"]
{{- end }}

{{/*
Who the pods run as. Takes the root context.
*/}}
{{- define "model-serving.podSecurity" -}}
{{- with .Values.podSecurity }}
runAsNonRoot: true
runAsUser: {{ int .runAsUser }}
runAsGroup: {{ int .runAsGroup }}
{{- with .fsGroup }}
fsGroup: {{ int . }}
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end }}
{{- end }}

{{/*
What every pod reaches that asks the network for anything: names, the store where it is a bucket, and with a sidecar its
control plane. Takes the root context.
*/}}
{{- define "model-serving.egress" -}}
{{- with .Values.networkPolicy }}
- ports:
    - port: 53
      protocol: UDP
    - port: 53
      protocol: TCP
{{- if not (hasPrefix "file://" $.Values.model.storageUri) }}
# The store.
- to:
    {{- range .store.cidrs }}
    - ipBlock:
        cidr: {{ . }}
    {{- end }}
  ports:
    {{- range .store.ports }}
    - port: {{ int . }}
      protocol: TCP
    {{- end }}
# Whose workload identity is asked for on the node.
- to:
    - ipBlock:
        cidr: 169.254.0.0/16
  ports:
    {{- range list 80 988 }}
    - port: {{ . }}
      protocol: TCP
    {{- end }}
{{- end }}
{{- if eq $.Values.route.kind "istio" }}
# The sidecar's control plane.
- to:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: {{ .istioNamespace }}
  ports:
    - port: 15012
      protocol: TCP
{{- end }}
{{- end }}
{{- end }}
