//go:build tools

// Package tools names what this module exists to build.
package tools

import (
	_ "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router"
)
