package main

import "strings"

const soundPod = `
apiVersion: v1
kind: Pod
metadata: { name: control }
spec:
  automountServiceAccountToken: false
  securityContext: { runAsNonRoot: true, seccompProfile: { type: RuntimeDefault } }
  containers:
    - name: one
      image: one
      securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: [ALL] } }
`

// What must be noticed: a check that finds nothing wrong with any of these checks nothing.
var controls = []struct{ what, from, to, noticed string }{
	{"an unknown field", "image: one", "image: one\n      imagePullPolcy: Always", "imagePullPolcy"},
	{"a wrong type", "image: one", "image: [one]", "got array, want string"},
	{"a field that is there twice", "image: one", "image: one\n      image: two", "already set"},
	{"a missing field", "- name: one", "- tty: true", "missing property 'name'"},
	{"an unknown kind", "kind: Pod", "kind: Pot", "no schema"},
	{"root", "runAsNonRoot: true", "runAsNonRoot: false", "runAsNonRoot"},
	{"capabilities", "drop: [ALL]", "add: [NET_ADMIN]", "capabilities"},
	{"escalation", "allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true", "allowPrivilegeEscalation"},
	{"no seccomp profile", "seccompProfile: { type: RuntimeDefault }", "seccompProfile: { type: Unconfined }", "seccompProfile"},
	{"a token", "automountServiceAccountToken: false", "automountServiceAccountToken: true", "mounts a token"},
	{"a root file system that is written to", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "may write"},
}

func (c *checker) controls(judge *objects) {
	if found := judge.problems(soundPod); len(found) > 0 {
		c.wrong("control", "a sound pod is refused: %v", found)
	}
	for _, control := range controls {
		broken := strings.Replace(soundPod, control.from, control.to, 1)
		if found := strings.Join(judge.problems(broken), "\n"); !strings.Contains(found, control.noticed) {
			c.wrong("control", "%s is not noticed: %q", control.what, found)
		}
	}
}
