package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"
)

// objects judges what would be sent to the API server: by its schemas, and pods by the restricted profile.
type objects struct {
	schemas map[string]*jsonschema.Schema
	pods    policy.Evaluator
}

func newObjects(folder string) (*objects, error) {
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft7)
	found := map[string]*jsonschema.Schema{}
	for file, below := range map[string]string{"kubernetes.json": "kinds", "custom-resources.json": ""} {
		bytes, err := os.ReadFile(filepath.Join(folder, file))
		if err != nil {
			return nil, err
		}
		var document map[string]any
		if err := json.Unmarshal(bytes, &document); err != nil {
			return nil, err
		}
		if err := compiler.AddResource("file:///"+file, document); err != nil {
			return nil, err
		}
		kinds := document
		if below != "" {
			kinds = document[below].(map[string]any)
		}
		for kind := range kinds {
			pointer := "file:///" + file + "#"
			if below != "" {
				pointer += "/" + below
			}
			schema, err := compiler.Compile(pointer + "/" + strings.ReplaceAll(kind, "/", "~1"))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", kind, err)
			}
			found[kind] = schema
		}
	}
	pods, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	return &objects{found, pods}, err
}

// problems names everything that an API server would refuse in one object.
func (o *objects) problems(document string) []string {
	var object struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata"`
	}
	strict, err := yaml.YAMLToJSONStrict([]byte(document))
	if err != nil {
		return []string{err.Error()}
	}
	if err := json.Unmarshal(strict, &object); err != nil {
		return []string{err.Error()}
	}
	at := fmt.Sprintf("%s/%s", object.Kind, object.Name)
	schema, known := o.schemas[object.APIVersion+"/"+object.Kind]
	if !known {
		return []string{at + ": no schema for " + object.APIVersion}
	}
	var found []string
	var value any
	_ = json.Unmarshal(strict, &value)
	if err := schema.Validate(value); err != nil {
		found = append(found, fmt.Sprintf("%s: %v", at, err))
	}
	for _, problem := range validation.IsDNS1123Subdomain(object.Name) {
		found = append(found, at+": name: "+problem)
	}
	for key, label := range object.Labels {
		for _, problem := range append(validation.IsQualifiedName(key), validation.IsValidLabelValue(label)...) {
			found = append(found, at+": label "+key+": "+problem)
		}
	}
	return append(found, o.restricted(at, object.Kind, strict)...)
}

// restricted asks Kubernetes' own evaluator of the Pod Security Standards.
func (o *objects) restricted(at, kind string, object []byte) []string {
	pod := &corev1.PodTemplateSpec{}
	var err error
	switch kind {
	case "Deployment":
		var deployment appsv1.Deployment
		err = json.Unmarshal(object, &deployment)
		pod = &deployment.Spec.Template
	case "Job":
		var job batchv1.Job
		err = json.Unmarshal(object, &job)
		pod = &job.Spec.Template
	case "Pod":
		var bare corev1.Pod
		err = json.Unmarshal(object, &bare)
		pod = &corev1.PodTemplateSpec{ObjectMeta: bare.ObjectMeta, Spec: bare.Spec}
	default:
		return nil
	}
	if err != nil {
		return []string{at + ": " + err.Error()}
	}
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	verdict := policy.AggregateCheckResults(o.pods.EvaluatePod(restricted, &pod.ObjectMeta, &pod.Spec))
	var found []string
	if !verdict.Allowed {
		found = append(found, at+": not restricted: "+verdict.ForbiddenDetail())
	}
	// Beyond the profile, and promised.
	if pod.Spec.AutomountServiceAccountToken == nil || *pod.Spec.AutomountServiceAccountToken {
		found = append(found, at+": mounts a token of its service account")
	}
	for _, container := range pod.Spec.Containers {
		security := container.SecurityContext
		if security == nil || security.ReadOnlyRootFilesystem == nil || !*security.ReadOnlyRootFilesystem {
			found = append(found, at+": "+container.Name+" may write to its root file system")
		}
	}
	return found
}
