{{/*
The pod of a server or a worker.
@param .root the chart's scope  @param .role all, server or worker  @param .component the label that tells them apart
@param .own values of this deployment: resources, podAnnotations, podLabels, nodeSelector, tolerations, affinity
*/}}
{{- define "authplane.podTemplate" -}}
{{- $values := .root.Values -}}
{{- $worker := eq .role "worker" -}}
{{- $given := list $values.secrets $values.externalDatabase $values.externalRedis $values.vault $values.externalSecrets | toJson | sha256sum | trunc 8 -}}
metadata:
  annotations:
    # A pod reads its configuration once: what changes here starts new ones.
    checksum/config: {{ include "authplane.config" .root | sha256sum }}
    checksum/given: {{ $given | quote }}
    {{- with merge (dict) .own.podAnnotations $values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  labels:
    {{- include "authplane.labels" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
    {{- with merge (dict) .own.podLabels $values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "authplane.serviceAccountName" .root }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
  {{- with $values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  securityContext:
    {{- toYaml $values.podSecurityContext | nindent 4 }}
  containers:
    - name: authserver
      image: {{ include "authplane.image" .root }}
      imagePullPolicy: {{ $values.image.pullPolicy }}
      args: [serve, --role, {{ .role }}]
      securityContext:
        {{- toYaml $values.securityContext | nindent 8 }}
      env:
        - name: AUTHPLANE_CONFIG
          value: /etc/authplane/config.yaml
        - name: AUTHPLANE_ADMIN_ALLOWED_HOSTS
          value: {{ include "authplane.adminHosts" .root | quote }}
        {{- include "authplane.serverEnv" .root | nindent 8 }}
        {{- with $values.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with $values.extraEnvFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        {{- if not $worker }}
        - name: http
          containerPort: {{ include "authplane.publicPort" .root }}
        {{- end }}
        {{- if include "authplane.adminEnabled" .root }}
        - name: admin
          containerPort: {{ include "authplane.adminPort" .root }}
        {{- end }}
      {{- $port := ternary "admin" "http" $worker }}
      startupProbe:
        {{- include "authplane.probe" (dict "probe" $values.startupProbe "port" $port) | nindent 8 }}
      readinessProbe:
        {{- include "authplane.probe" (dict "probe" $values.readinessProbe "port" $port) | nindent 8 }}
      livenessProbe:
        {{- include "authplane.probe" (dict "probe" $values.livenessProbe "port" $port) | nindent 8 }}
      {{- if gt ($values.preStopSleepSeconds | int) 0 }}
      lifecycle:
        preStop:
          {{- if semverCompare ">=1.30.0-0" .root.Capabilities.KubeVersion.Version }}
          sleep:
            seconds: {{ $values.preStopSleepSeconds }}
          {{- else }}
          exec:
            command: [/nodejs/bin/node, -e, 'setTimeout(() => {}, {{ $values.preStopSleepSeconds }}000)']
          {{- end }}
      {{- end }}
      {{- with .own.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      volumeMounts:
        - name: config
          mountPath: /etc/authplane
          readOnly: true
        {{- if $values.persistence.enabled }}
        - name: data
          mountPath: /data
        {{- end }}
        {{- with include "authplane.caMount" .root }}
        {{- . | nindent 8 }}
        {{- end }}
        {{- if $values.serviceAccount.projectedToken.enabled }}
        - name: projected-token
          mountPath: /var/run/secrets/authplane
          readOnly: true
        {{- end }}
        {{- with $values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: config
      secret:
        secretName: {{ $values.existingConfigSecret | default (printf "%s-config" (include "authplane.fullname" .root)) }}
        defaultMode: 0440
    {{- if $values.persistence.enabled }}
    - name: data
      persistentVolumeClaim:
        claimName: {{ $values.persistence.existingClaim | default (include "authplane.fullname" .root) }}
    {{- end }}
    {{- with include "authplane.caVolume" .root }}
    {{- . | nindent 4 }}
    {{- end }}
    {{- with $values.serviceAccount.projectedToken }}
    {{- if .enabled }}
    - name: projected-token
      projected:
        sources:
          - serviceAccountToken:
              path: token
              expirationSeconds: {{ .expirationSeconds | int }}
              {{- with .audience }}
              audience: {{ . | quote }}
              {{- end }}
    {{- end }}
    {{- end }}
    {{- with $values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with .own.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .own.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .own.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    {{- if $values.topologySpreadConstraints }}
    {{- toYaml $values.topologySpreadConstraints | nindent 4 }}
    {{- else }}
    {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - topologyKey: {{ . }}
      maxSkew: 1
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "authplane.selector" $.root | nindent 10 }}
          app.kubernetes.io/component: {{ $.component }}
      matchLabelKeys: [pod-template-hash]
    {{- end }}
    {{- end }}
{{- end -}}

{{/* The Host that every listener answers to, whatever the issuer is. */}}
{{- define "authplane.probe" -}}
httpGet:
  path: {{ .probe.path }}
  port: {{ .port }}
  httpHeaders:
    - name: Host
      value: localhost
{{ omit .probe "path" | toYaml }}
{{- end -}}

{{/* Every secret as a variable; none is in the configuration file. */}}
{{- define "authplane.serverEnv" -}}
{{- $secrets := include "authplane.sessionSecretName" . -}}
{{ include "authplane.fromSecret" (dict "name" "AUTHPLANE_SESSION_SECRET" "secret" $secrets "key" "session-secret") }}
{{ include "authplane.fromSecret" (dict "name" "AUTHPLANE_ADMIN_API_KEY" "secret" $secrets "key" "admin-api-key") }}
{{ include "authplane.databaseEnv" (dict "root" . "secret" (include "authplane.connectionsSecret" .)) }}
{{- $driver := include "authplane.encryptionDriver" . -}}
{{- $masterKeys := include "authplane.masterKeySecretName" . }}
{{- if eq $driver "aes_master" }}
{{ include "authplane.fromSecret" (dict "name" "AUTHPLANE_MASTER_KEY" "secret" $masterKeys "key" "aes-master-key") }}
{{- if include "authplane.hasOldMasterKey" . }}
{{ include "authplane.fromSecret" (dict "name" "AUTHPLANE_MASTER_OLD_KEY" "secret" $masterKeys "key" "aes-master-old-key") }}
{{- end }}
{{- else if eq $driver "vault_transit_encrypt" }}
{{- $vault := .Values.vault.existingSecret | default (include "authplane.ownSecret" .) }}
{{- if eq (dig "data_encryption" "vault_transit_encrypt" "auth_method" "token" .Values.config) "approle" }}
{{ include "authplane.fromSecret" (dict "name" "VAULT_ROLE_ID" "secret" $vault "key" "vault-approle-role-id") }}
{{ include "authplane.fromSecret" (dict "name" "VAULT_SECRET_ID" "secret" $vault "key" "vault-approle-secret-id") }}
{{- else }}
{{ include "authplane.fromSecret" (dict "name" "VAULT_TOKEN" "secret" $vault "key" "vault-token") }}
{{- end }}
{{- end }}
{{- if include "authplane.vaultSigns" . }}
{{- $vault := include "authplane.vaultSigningSecretName" . }}
{{- if eq (include "authplane.vaultSigningAuthMethod" .) "approle" }}
{{ include "authplane.fromSecret" (dict "name" "AUTHPLANE_VAULT_APPROLE_ROLE_ID" "secret" $vault "key" "vault-approle-role-id") }}
{{ include "authplane.fromSecret" (dict "name" "AUTHPLANE_VAULT_APPROLE_SECRET_ID" "secret" $vault "key" "vault-approle-secret-id") }}
{{- else }}
{{ include "authplane.fromSecret" (dict "name" "AUTHPLANE_VAULT_TOKEN" "secret" $vault "key" "vault-token") }}
{{- end }}
{{- end }}
{{- $redis := .Values.externalRedis }}
{{- if and .Values.externalSecrets.enabled (hasKey .Values.externalSecrets.data "redis-url") }}
{{ include "authplane.fromSecret" (dict "name" "AUTHPLANE_REDIS_URL" "secret" (include "authplane.ownSecret" .) "key" "redis-url") }}
{{- else if $redis.existingSecret }}
{{ include "authplane.fromSecret" (dict "name" "AUTHPLANE_REDIS_URL" "secret" $redis.existingSecret "key" $redis.existingSecretKey) }}
{{- else if $redis.url }}
{{ include "authplane.fromSecret" (dict "name" "AUTHPLANE_REDIS_URL" "secret" (include "authplane.connectionsSecret" .) "key" "redis-url") }}
{{- end }}
{{- with include "authplane.redisPasswordSecret" (dict "root" . "key" "redis-password" "given" $redis.password "has" true) }}
{{ include "authplane.fromSecret" (dict "name" "AUTHPLANE_REDIS_PASSWORD" "secret" . "key" "redis-password") }}
{{- end }}
{{- with include "authplane.redisPasswordSecret" (dict "root" . "key" "redis-sentinel-password" "given" $redis.sentinelPassword "has" $redis.existingPasswordSecretHasSentinel) }}
{{ include "authplane.fromSecret" (dict "name" "AUTHPLANE_REDIS_SENTINEL_PASSWORD" "secret" . "key" "redis-sentinel-password") }}
{{- end }}
{{- if include "authplane.hasPepper" . }}
{{- $pepper := ternary (include "authplane.ownSecret" .) (include "authplane.connectionsSecret" .) (and .Values.externalSecrets.enabled (hasKey .Values.externalSecrets.data "client-secret-pepper")) }}
{{ include "authplane.fromSecret" (dict "name" "AUTHPLANE_CLIENT_SECRET_PEPPER" "secret" $pepper "key" "client-secret-pepper") }}
{{- end }}
{{- include "authplane.caEnv" . }}
{{- end -}}

{{- define "authplane.caEnv" -}}
{{- if .Values.caBundle.existingConfigMap }}
- name: NODE_EXTRA_CA_CERTS
  value: /etc/authplane-ca/{{ .Values.caBundle.key }}
{{- end }}
{{- end -}}

{{- define "authplane.caMount" -}}
{{- if .Values.caBundle.existingConfigMap -}}
- name: ca-bundle
  mountPath: /etc/authplane-ca
  readOnly: true
{{- end }}
{{- end -}}

{{- define "authplane.caVolume" -}}
{{- with .Values.caBundle.existingConfigMap -}}
- name: ca-bundle
  configMap:
    name: {{ . }}
{{- end }}
{{- end -}}
