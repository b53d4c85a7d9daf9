package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// compose reads docker-compose.yml as Compose does: by the schema of the specification, with every profile, and with what refers to what.
// Files with secrets are made by whoever runs it, so they need not be there.
func (c *checker) compose() {
	file := filepath.Join(c.root, "docker-compose.yml")
	options, err := cli.NewProjectOptions([]string{file},
		cli.WithWorkingDirectory(c.root), cli.WithName("authplane"), cli.WithProfiles([]string{"*"}),
		cli.WithoutEnvironmentResolution, cli.WithConsistency(true), cli.WithInterpolation(true))
	if err != nil {
		c.wrong("docker-compose.yml", "%v", err)
		return
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		c.wrong("docker-compose.yml", "%v", err)
		return
	}
	for name, service := range project.Services {
		if !service.ReadOnly {
			c.wrong("docker-compose.yml", "%s may write to its root file system", name)
		}
		if len(service.CapDrop) == 0 || len(service.SecurityOpt) == 0 {
			c.wrong("docker-compose.yml", "%s keeps capabilities or may gain privileges", name)
		}
		for _, port := range service.Ports {
			if port.HostIP != "127.0.0.1" {
				c.wrong("docker-compose.yml", "%s publishes %s on every address of the machine", name, port.Published)
			}
		}
	}
	c.keepProcesses(project)
}

// keepProcesses leaves what our own containers get, for the server's own reader to judge.
func (c *checker) keepProcesses(project *types.Project) {
	type process struct {
		Environment types.MappingWithEquals `json:"environment"`
		Command     []string                `json:"command"`
	}
	processes := map[string]process{}
	for name, service := range project.Services {
		if strings.HasPrefix(service.Image, "authplane/authserver") {
			processes[name] = process{service.Environment, service.Command}
		}
	}
	if c.rendered == "" {
		return
	}
	written, _ := json.Marshal(processes)
	if err := os.WriteFile(filepath.Join(c.rendered, "docker-compose.json"), written, 0o600); err != nil {
		c.wrong("docker-compose.yml", "%v", err)
	}
}
