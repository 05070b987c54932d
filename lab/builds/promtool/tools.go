//go:build tools

// Package tools names what this module exists to build.
package tools

import (
	_ "github.com/prometheus/prometheus/cmd/promtool"
)
