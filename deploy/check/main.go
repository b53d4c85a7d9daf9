// Checks what is deployed: the chart by Helm, the objects it makes by the schemas of Kubernetes and by its own judge of pod security,
// docker-compose.yml by the Compose specification, the Dockerfile by BuildKit's parser. Run by scripts/chart-check.mjs.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

// A checker collects what is wrong, so that one run tells of everything.
type checker struct {
	root, helm, rendered string
	objects, problems    int
}

func (c *checker) wrong(at, format string, args ...any) {
	c.problems++
	fmt.Printf("%s: %s\n", at, fmt.Sprintf(format, args...))
}

func main() {
	c := &checker{}
	flag.StringVar(&c.root, "root", ".", "the repository")
	flag.StringVar(&c.helm, "helm", "helm", "the helm to run")
	flag.StringVar(&c.rendered, "rendered", "", "where to leave the configurations that the chart writes")
	flag.Parse()

	objects, err := newObjects(filepath.Join(c.root, "deploy/check/schemas"))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	c.controls(objects)
	sets := c.chart(objects)
	refused := c.refusals()
	c.upgrades()
	c.compose()
	c.dockerfile()
	fmt.Printf("chart: %d value sets, %d objects; %d sets refused as they should; docker-compose.yml and Dockerfile read; %d problems\n",
		sets, c.objects, refused, c.problems)
	if c.problems > 0 {
		os.Exit(1)
	}
}
