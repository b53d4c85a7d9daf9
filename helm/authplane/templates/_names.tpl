{{/* Names, labels, and what is derived from values in more than one place. */}}

{{- define "authplane.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Short enough for every suffix that the chart puts behind it. */}}
{{- define "authplane.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 42 | trimSuffix "-" -}}
{{- else if contains (include "authplane.name" .) .Release.Name -}}
{{- .Release.Name | trunc 42 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "authplane.name" .) | trunc 42 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "authplane.selector" -}}
app.kubernetes.io/name: {{ include "authplane.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "authplane.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 }}
{{ include "authplane.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "authplane.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "authplane.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{- define "authplane.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "authplane.publicPort" -}}
{{- regexFind "[0-9]+$" (.Values.config.server.address | toString) -}}
{{- end -}}

{{- define "authplane.adminPort" -}}
{{- regexFind "[0-9]+$" (.Values.config.admin.address | toString) -}}
{{- end -}}

{{- define "authplane.adminEnabled" -}}
{{- if ne (dig "enabled" true .Values.config.admin) false -}}true{{- end -}}
{{- end -}}

{{/* The issuer's host, without port. */}}
{{- define "authplane.issuerHost" -}}
{{- regexReplaceAll ":[0-9]+$" (urlParse .Values.config.server.issuer).host "" -}}
{{- end -}}

{{- define "authplane.isLocal" -}}
{{- if regexMatch "^http://(localhost|127\\.0\\.0\\.1|\\[::1\\])(:|/|$)" .Values.config.server.issuer -}}true{{- end -}}
{{- end -}}

{{- define "authplane.encryptionDriver" -}}
{{- dig "data_encryption" "driver" "" .Values.config -}}
{{- end -}}

{{/* Whether Vault signs: now, or a key of before. */}}
{{- define "authplane.vaultSigns" -}}
{{- $signing := .Values.config.signing | default dict -}}
{{- if or (eq (dig "key_store" "" $signing) "vault_transit") (dig "vault_transit" "address" "" $signing) -}}true{{- end -}}
{{- end -}}

{{/* How signing logs in: as sealing does where they share a Secret, unless values say otherwise. */}}
{{- define "authplane.vaultSigningAuthMethod" -}}
{{- $sealing := ternary (dig "data_encryption" "vault_transit_encrypt" "auth_method" "token" .Values.config) "token" (and (eq (include "authplane.encryptionDriver" .) "vault_transit_encrypt") (not .Values.vault.signing.existingSecret)) -}}
{{ .Values.vault.signing.authMethod | default $sealing }}
{{- end -}}

{{/* A duration as the server reads it, 1h30m, in seconds. */}}
{{- define "authplane.seconds" -}}
{{- $seconds := 0 -}}
{{- range $unit, $factor := dict "d" 86400 "h" 3600 "m" 60 "s" 1 -}}
{{- with regexFind (printf "[0-9]+%s($|[0-9])" $unit) ($ | toString) -}}
{{- $seconds = add $seconds (mul $factor (regexFind "^[0-9]+" . | int)) -}}
{{- end -}}
{{- end -}}
{{- $seconds -}}
{{- end -}}

{{/* Whether several processes can count together. */}}
{{- define "authplane.hasRedis" -}}
{{- $external := and .Values.externalSecrets.enabled (hasKey .Values.externalSecrets.data "redis-url") -}}
{{- $redis := .Values.config.redis | default dict -}}
{{- if or .Values.externalRedis.url .Values.externalRedis.existingSecret $external (get $redis "sentinels") (get $redis "cluster_nodes") .Values.existingConfigSecret -}}true{{- end -}}
{{- end -}}

{{- define "authplane.mostReplicas" -}}
{{- if .Values.autoscaling.enabled -}}{{ .Values.autoscaling.maxReplicas }}{{- else -}}{{ .Values.replicaCount }}{{- end -}}
{{- end -}}
