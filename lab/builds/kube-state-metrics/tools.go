//go:build tools

// Package tools names what this module exists to build.
package tools

import (
	_ "k8s.io/kube-state-metrics/v2"
)
