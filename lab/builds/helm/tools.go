//go:build tools

// Package tools names what this module exists to build.
package tools

import (
	_ "helm.sh/helm/v3/cmd/helm"
)
