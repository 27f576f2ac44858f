//go:build tools

// Package tools keeps the commands that this module builds in go.mod.
package tools

import _ "github.com/compose-spec/compose-go/v2/cmd"
