package main

import (
	"os"
	"path/filepath"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// dockerfile parses as BuildKit does, with the rules of its linter that need no engine.
func (c *checker) dockerfile() {
	file, err := os.Open(filepath.Join(c.root, "Dockerfile"))
	if err != nil {
		c.wrong("Dockerfile", "%v", err)
		return
	}
	defer file.Close()
	parsed, err := parser.Parse(file)
	if err != nil {
		c.wrong("Dockerfile", "%v", err)
		return
	}
	for _, warning := range parsed.Warnings {
		c.wrong("Dockerfile", "%s", warning.Short)
	}
	rules := linter.New(&linter.Config{Warn: func(rule, _, _, message string, _ []parser.Range) {
		c.wrong("Dockerfile", "%s: %s", rule, message)
	}})
	stages, _, err := instructions.Parse(parsed.AST, rules)
	if err != nil {
		c.wrong("Dockerfile", "%v", err)
		return
	}
	last := stages[len(stages)-1]
	user, health, shell := "", false, false
	for _, command := range last.Commands {
		switch is := command.(type) {
		case *instructions.UserCommand:
			user = is.User
		case *instructions.HealthCheckCommand:
			health = true
		case *instructions.RunCommand:
			shell = true
		case *instructions.EntrypointCommand:
			shell = shell || is.PrependShell
		case *instructions.CmdCommand:
			shell = shell || is.PrependShell
		}
	}
	if user != "65534:65534" || !health || shell {
		c.wrong("Dockerfile", "user %q, health check %t, needs a shell %t", user, health, shell)
	}
}
