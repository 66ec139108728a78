{{/*
Labels that select the promoter's pods. Takes the root context.
*/}}
{{- define "promoter.selectorLabels" -}}
app.kubernetes.io/name: promoter
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/*
Labels of every object. Takes the root context.
*/}}
{{- define "promoter.labels" -}}
{{ include "promoter.selectorLabels" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/*
The label `job` that the Prometheus operator gives to the promoter's series. Takes the root context.
*/}}
{{- define "promoter.job" -}}
{{ .Release.Namespace }}/{{ .Release.Name }}
{{- end }}

{{/*
A duration as `1h30m` in seconds, for an expression of Prometheus.
*/}}
{{- define "promoter.seconds" -}}
{{- $seconds := 0 }}
{{- range regexFindAll "[0-9]+[hms]" . -1 }}
{{- $count := regexFind "[0-9]+" . | int }}
{{- $seconds = add $seconds (mul $count (get (dict "h" 3600 "m" 60 "s" 1) (regexFind "[hms]" .))) }}
{{- end }}
{{- $seconds }}
{{- end }}

{{/*
The pod's files from outside: one entry for each Secret or ConfigMap that the values name, with {name, mount, source}.
A JSON list. Takes the root context.
*/}}
{{- define "promoter.files" -}}
{{- $files := list }}
{{- with .Values.argocd.token }}
{{- $files = append $files (dict "name" "argocd" "mount" "/etc/promoter/argocd" "secret" .secretName
      "items" (list (dict "key" .key "path" "token"))) }}
{{- end }}
{{- with .Values.git.token }}
{{- if .secretName }}
{{- $files = append $files (dict "name" "git" "mount" "/etc/promoter/git" "secret" .secretName
      "items" (list (dict "key" .key "path" "token"))) }}
{{- end }}
{{- end }}
{{- with .Values.git.ssh }}
{{- if .secretName }}
{{- $files = append $files (dict "name" "ssh" "mount" "/etc/promoter/home/.ssh" "secret" .secretName
      "items" (list (dict "key" .key "path" "key") (dict "key" .knownHostsKey "path" "known_hosts"))) }}
{{- end }}
{{- end }}
{{- with .Values.git.signing }}
{{- if .secretName }}
{{- $items := list (dict "key" .key "path" "key") }}
{{- if .allowedSignersKey }}
{{- $items = append $items (dict "key" .allowedSignersKey "path" "allowed_signers") }}
{{- end }}
{{- $files = append $files (dict "name" "signing" "mount" "/etc/promoter/signing" "secret" .secretName "items" $items) }}
{{- end }}
{{- end }}
{{- with .Values.githubApp }}
{{- if .id }}
{{- $files = append $files (dict "name" "github-app" "mount" "/etc/promoter/github-app" "secret" .privateKey.secretName
      "items" (list (dict "key" .privateKey.key "path" "private-key.pem"))) }}
{{- end }}
{{- end }}
{{- with .Values.forge }}
{{- if and .address .token.secretName }}
{{- $files = append $files (dict "name" "forge" "mount" "/etc/promoter/forge" "secret" .token.secretName
      "items" (list (dict "key" .token.key "path" "token"))) }}
{{- end }}
{{- if and .address .rightsToken.secretName }}
{{- $files = append $files (dict "name" "forge-rights" "mount" "/etc/promoter/forge-rights" "secret" .rightsToken.secretName
      "items" (list (dict "key" .rightsToken.key "path" "token"))) }}
{{- end }}
{{- if .webhook.secretName }}
{{- $files = append $files (dict "name" "webhook" "mount" "/etc/promoter/webhook" "secret" .webhook.secretName
      "items" (list (dict "key" .webhook.key "path" "secret"))) }}
{{- end }}
{{- end }}
{{- if and (eq .Values.preflight "workflow") .Values.workflows.token.secretName }}
{{- $files = append $files (dict "name" "workflows" "mount" "/etc/promoter/workflows"
      "secret" .Values.workflows.token.secretName "items" (list (dict "key" .Values.workflows.token.key "path" "token"))) }}
{{- end }}
{{- with .Values.modelPublicKey }}
{{- if .configMapName }}
{{- $files = append $files (dict "name" "model-key" "mount" "/etc/promoter/model-key" "configMap" .configMapName
      "items" (list (dict "key" .key "path" "key.pem"))) }}
{{- end }}
{{- end }}
{{- with .Values.notify }}
{{- if .secretName }}
{{- $files = append $files (dict "name" "notify" "mount" "/etc/promoter/notify" "secret" .secretName "items" list) }}
{{- end }}
{{- end }}
{{- with .Values.stores.gcs }}
{{- if .secretName }}
{{- $files = append $files (dict "name" "gcs" "mount" "/etc/promoter/gcs" "secret" .secretName
      "items" (list (dict "key" .key "path" "key.json"))) }}
{{- end }}
{{- end }}
{{- with .Values.authorities }}
{{- if .configMapName }}
{{- $files = append $files (dict "name" "authorities" "mount" "/etc/promoter/authorities" "configMap" .configMapName
      "items" (list (dict "key" .key "path" "ca.crt"))) }}
{{- end }}
{{- end }}
{{- toJson $files }}
{{- end }}
