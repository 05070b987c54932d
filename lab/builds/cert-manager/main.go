// Copyright: (c) 2026, The Enclii Platform Authors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Command cert-manager is the lab's cert-manager: upstream's packages, unchanged, behind a main of ours, because the
// modules that hold upstream's own mains are not served as Go modules. One binary plays all four parts of the
// release; which one is said by the name it is called by or by its first word:
//
//	cert-manager controller --v=2 ...      or a link named "controller" (also "cert-manager-controller")
//	cert-manager webhook ...
//	cert-manager cainjector ...
//	cert-manager startupapicheck check api --wait=1m
//
// It takes the flags that the official chart of the same version passes, and --config with upstream's own
// configuration types for all else. What it does not serve (see refuseUnserved) it refuses, it never ignores it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	ctrl "sigs.k8s.io/controller-runtime"

	logf "github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/util"
)

// parts maps the name of a part to the function that runs it until the context ends.
var parts = map[string]func(ctx context.Context, args []string) error{
	"controller":      runController,
	"webhook":         runWebhook,
	"cainjector":      runCAInjector,
	"startupapicheck": runStartupAPICheck,
	"version": func(context.Context, []string) error {
		_, err := fmt.Println(util.AppVersion)
		return err
	},
}

// choosePart returns the part that the command line names, and the arguments that are left for it.
func choosePart(argv []string) (string, []string, error) {
	name := strings.TrimPrefix(filepath.Base(argv[0]), "cert-manager-")
	if _, ok := parts[name]; ok {
		return name, argv[1:], nil
	}
	if len(argv) > 1 {
		if _, ok := parts[argv[1]]; ok {
			return argv[1], argv[2:], nil
		}
	}
	names := make([]string, 0, len(parts))
	for n := range parts {
		names = append(names, n)
	}
	slices.Sort(names)
	return "", nil, fmt.Errorf("no part is named: the first word must be one of %s", strings.Join(names, ", "))
}

func main() {
	part, args, err := choosePart(os.Args)
	if err == nil {
		logf.InitLogs()
		ctrl.SetLogger(logf.Log)
		err = parts[part](ctrl.SetupSignalHandler(), args)
		logf.FlushLogs()
	}
	if err != nil && !errors.Is(err, pflag.ErrHelp) { // for --help the usage is printed already
		fmt.Fprintln(os.Stderr, strings.TrimSpace("cert-manager "+part)+":", err)
		os.Exit(1)
	}
}
