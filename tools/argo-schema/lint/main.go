// Validates Workflows as Argo does before it runs them: strict reading, then its own package workflow/validate, which argo lint
// calls too. It needs no cluster.
//
// usage: go mod tidy && go run . WORKFLOW.yaml...
package main

import (
	"context"
	"fmt"
	"os"

	wfv1 "github.com/argoproj/argo-workflows/v4/pkg/apis/workflow/v1alpha1"
	"github.com/argoproj/argo-workflows/v4/util/logging"
	"github.com/argoproj/argo-workflows/v4/workflow/validate"
	"sigs.k8s.io/yaml"
)

func main() {
	ctx := logging.WithLogger(context.Background(), logging.NewSlogLogger(logging.Error, logging.Text))
	faults := 0
	for _, name := range os.Args[1:] {
		text, err := os.ReadFile(name)
		if err != nil {
			panic(err)
		}
		var workflow wfv1.Workflow
		err = yaml.UnmarshalStrict(text, &workflow)
		if err == nil {
			err = validate.ValidateWorkflow(ctx, nil, nil, &workflow, nil, validate.ValidateOpts{})
		}
		if err != nil {
			faults++
			fmt.Printf("%s: %v\n", name, err)
			continue
		}
		fmt.Printf("%s: %d templates are valid\n", name, len(workflow.Spec.Templates))
	}
	if faults > 0 {
		os.Exit(1)
	}
}
