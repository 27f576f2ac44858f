//go:build tools

// Package tools keeps the commands that this module builds in go.mod.
package tools

import _ "helm.sh/helm/v3/cmd/helm"
