package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// The oldest Kubernetes that Chart.yaml allows, and one that is in use.
var kubeVersions = []string{"1.26.0", "1.36.0"}

const oldest = "1.26.0"

// chart lints and templates every value set of the chart, and judges each object.
func (c *checker) chart(judge *objects) int {
	chart := filepath.Join(c.root, "helm/authplane")
	files, _ := filepath.Glob(filepath.Join(chart, "ci/*.yaml"))
	if len(files) < 10 {
		c.wrong("helm/authplane/ci", "%d value sets, and ten were promised", len(files))
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		if out, err := c.run("lint", chart, "--strict", "--kube-version", oldest, "--namespace", "identity", "-f", file); err != nil {
			c.wrong(name, "helm lint: %s", out)
		}
		for _, version := range kubeVersions {
			out, err := c.run("template", "prod", chart, "--kube-version", version, "--namespace", "identity", "-f", file)
			if err != nil {
				c.wrong(name, "helm template: %s", out)
				continue
			}
			rendered := documents(out)
			if len(rendered) == 0 {
				c.wrong(name, "nothing was made")
			}
			for _, document := range rendered {
				c.objects++
				for _, problem := range judge.problems(document) {
					c.wrong(name+" on "+version, "%s", problem)
				}
			}
			c.keep(name, rendered)
		}
	}
	return len(files)
}

var promise = regexp.MustCompile(`(?m)^# refused: (.+)$`)

// refusals templates the value sets that cannot work; each says in its first line how it is refused.
func (c *checker) refusals() int {
	chart := filepath.Join(c.root, "helm/authplane")
	files, _ := filepath.Glob(filepath.Join(chart, "ci/refused/*.yaml"))
	for _, file := range files {
		name := "refused/" + filepath.Base(file)
		text, _ := os.ReadFile(file)
		promised := promise.FindStringSubmatch(string(text))
		arguments := []string{"template", "prod", chart, "--kube-version", oldest, "-f", file}
		if bytes.Contains(text, []byte("# as an upgrade")) {
			arguments = append(arguments, "--is-upgrade")
		}
		out, err := c.run(arguments...)
		switch {
		case promised == nil:
			c.wrong(name, "does not say how it is refused")
		case err == nil:
			c.wrong(name, "is not refused")
		case !strings.Contains(out, promised[1]):
			c.wrong(name, "is refused by other words: %s", out)
		}
	}
	return len(files)
}

func (c *checker) run(arguments ...string) (string, error) {
	command := exec.Command(c.helm, arguments...)
	// Nothing of the machine's own Helm takes part.
	command.Env = append(os.Environ(), "HELM_CONFIG_HOME=/nonexistent", "HELM_DATA_HOME=/nonexistent", "KUBECONFIG=/nonexistent")
	out, err := command.CombinedOutput()
	return string(out), err
}

var separator = regexp.MustCompile(`(?m)^---\s*$`)

func documents(stream string) []string {
	var found []string
	for _, document := range separator.Split(stream, -1) {
		if strings.TrimSpace(regexp.MustCompile(`(?m)^\s*#.*$`).ReplaceAllString(document, "")) != "" {
			found = append(found, document)
		}
	}
	return found
}

// keep leaves the server's configuration and variables of a value set, for the server's own reader to judge.
func (c *checker) keep(name string, documents []string) {
	if c.rendered == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(c.rendered, name+".yaml"), []byte(strings.Join(documents, "\n---\n")), 0o600); err != nil {
		c.wrong(name, "%v", err)
	}
}
