package main

import (
	"context"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"
)

// A cluster answers the template function `lookup`: what it holds is there, everything else is not.
type cluster struct {
	dynamic.NamespaceableResourceInterface
	secrets map[string]map[string]any
}

func (c cluster) GetClientFor(string, string) (dynamic.NamespaceableResourceInterface, bool, error) {
	return c, true, nil
}

func (c cluster) Namespace(string) dynamic.ResourceInterface { return c }

func (c cluster) Get(_ context.Context, name string, _ metav1.GetOptions, _ ...string) (*unstructured.Unstructured, error) {
	if found, ok := c.secrets[name]; ok {
		return &unstructured.Unstructured{Object: found}, nil
	}
	return nil, errors.NewNotFound(schema.GroupResource{Resource: "secrets"}, name)
}

const ownSecret = "prod-authplane-secrets"

var hexKey = regexp.MustCompile("^[0-9a-f]{64}$")

// upgrades installs and upgrades against a cluster: what was generated once stays, whatever else is installed in between.
func (c *checker) upgrades() {
	const at = "upgrade"
	loaded, err := loader.Load(filepath.Join(c.root, "helm/authplane"))
	if err != nil {
		c.wrong(at, "%v", err)
		return
	}
	values := map[string]any{
		"config":           map[string]any{"server": map[string]any{"issuer": "https://auth.example.com"}},
		"externalDatabase": map[string]any{"host": "postgres"},
	}
	first := c.secretOf(loaded, values, cluster{}, false)
	other := c.secretOf(loaded, values, cluster{}, false)
	if first == nil || other == nil {
		return
	}
	if reflect.DeepEqual(first.Data, other.Data) {
		c.wrong(at, "two installations get the same secrets")
	}
	if !hexKey.Match(first.Data["aes-master-key"]) || len(first.Data["session-secret"]) < 48 || len(first.Data["admin-api-key"]) < 48 {
		c.wrong(at, "weak secrets were generated")
	}
	if first.Annotations["helm.sh/resource-policy"] != "keep" {
		c.wrong(at, "the secrets go with the release")
	}
	object, _ := runtime.DefaultUnstructuredConverter.ToUnstructured(first)
	kept := cluster{secrets: map[string]map[string]any{ownSecret: object}}
	if again := c.secretOf(loaded, values, kept, true); again != nil && !reflect.DeepEqual(again.Data, first.Data) {
		c.wrong(at, "an upgrade changes the secrets")
	}
	if again := c.secretOf(loaded, values, kept, false); again != nil && !reflect.DeepEqual(again.Data, first.Data) {
		c.wrong(at, "an installation beside kept secrets changes them")
	}
	values["secrets"] = map[string]any{"adminApiKey": "k3y-of-the-operators-9f8e"}
	given := c.secretOf(loaded, values, kept, true)
	if given != nil && (string(given.Data["admin-api-key"]) != "k3y-of-the-operators-9f8e" || !reflect.DeepEqual(given.Data["aes-master-key"], first.Data["aes-master-key"])) {
		c.wrong(at, "a secret that is given does not replace the kept one alone")
	}
}

func (c *checker) secretOf(loaded *chart.Chart, values map[string]any, known cluster, upgrade bool) *corev1.Secret {
	release := chartutil.ReleaseOptions{Name: "prod", Namespace: "identity", Revision: 1, IsInstall: !upgrade, IsUpgrade: upgrade}
	capabilities := chartutil.DefaultCapabilities.Copy()
	capabilities.KubeVersion = chartutil.KubeVersion{Version: "v" + oldest, Major: "1", Minor: strings.Split(oldest, ".")[1]}
	all, err := chartutil.ToRenderValues(loaded, values, release, capabilities)
	if err != nil {
		c.wrong("upgrade", "%v", err)
		return nil
	}
	rendered, err := engine.RenderWithClientProvider(loaded, all, known)
	if err != nil {
		c.wrong("upgrade", "%v", err)
		return nil
	}
	for _, document := range documents(rendered["authplane/templates/secrets.yaml"]) {
		var secret corev1.Secret
		if err := yaml.Unmarshal([]byte(document), &secret); err == nil && secret.Name == ownSecret {
			return &secret
		}
	}
	c.wrong("upgrade", "%s is not there", ownSecret)
	return nil
}
