// Copyright: (c) 2026, The Enclii Platform Authors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/cert-manager/cert-manager/internal/kube"
	"github.com/cert-manager/cert-manager/pkg/util"
	"github.com/cert-manager/cert-manager/pkg/util/cmapichecker"
)

// runStartupAPICheck (`check api`) creates CertificateRequests in dry run until the webhook both completes a good one
// and denies a bad one: then the CRDs, both webhook configurations, their CA bundle and the webhook itself work.
func runStartupAPICheck(ctx context.Context, args []string) error {
	fs := pflag.NewFlagSet("startupapicheck", pflag.ContinueOnError)
	timeout := fs.Duration("wait", 0, "How long to try; 0 tries once")
	interval := fs.Duration("interval", 5*time.Second, "Pause between two attempts")
	kubeconfig := fs.String("kubeconfig", "", "Kubeconfig; without it, the one of the pod")
	namespace := fs.StringP("namespace", "n", os.Getenv("POD_NAMESPACE"), "Namespace of the dry run")
	verbose := fs.BoolP("verbose", "v", false, "Print each attempt")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() != 2 || fs.Arg(0) != "check" || fs.Arg(1) != "api" {
		return fmt.Errorf("unknown command %q: only \"check api\" is served", fs.Args())
	}
	restConfig, err := kube.BuildClientConfig("", *kubeconfig)
	if err != nil {
		return err
	}
	if *namespace == "" {
		*namespace = "default"
	}
	checker, err := cmapichecker.New(util.RestConfigWithUserAgent(restConfig, "startupapicheck"), *namespace)
	if err != nil {
		return err
	}

	var last error
	attempt := func(ctx context.Context) (bool, error) {
		err := checker.Check(ctx)
		if ctx.Err() == nil || last == nil { // the end of the wait says less than the failure before it
			last = err
		}
		if err != nil && *verbose {
			fmt.Fprintf(os.Stderr, "not ready: %v\n", err)
		}
		return err == nil, nil
	}
	if *timeout == 0 {
		_, _ = attempt(ctx)
	} else if err := wait.PollUntilContextTimeout(ctx, *interval, *timeout, true, attempt); err != nil && last == nil {
		last = err
	}
	if last != nil {
		if simple := cmapichecker.TranslateToSimpleError(last); simple != nil {
			return fmt.Errorf("%w (%v)", simple, last)
		}
		return last
	}
	fmt.Println("The cert-manager API is ready")
	return nil
}
