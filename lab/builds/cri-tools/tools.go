//go:build tools

// Package tools names what this module exists to build.
package tools

import (
	_ "sigs.k8s.io/cri-tools/cmd/crictl"
)
