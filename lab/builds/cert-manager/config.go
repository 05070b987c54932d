// Copyright: (c) 2026, The Enclii Platform Authors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	cliflag "k8s.io/component-base/cli/flag"
	logsapi "k8s.io/component-base/logs/api/v1"

	"github.com/cert-manager/cert-manager/internal/apis/config/shared"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/util/configfile"
	utilfeature "github.com/cert-manager/cert-manager/pkg/util/feature"
)

// defaults fills out with what the scheme sets on an empty versioned configuration.
func defaults(scheme *runtime.Scheme, versioned runtime.Object, out any) error {
	scheme.Default(versioned)
	return scheme.Convert(versioned, out, nil)
}

// parse reads the command line. A --config file is read first; the flags that are given win over it.
// bind puts the flags of a part onto a set, with the current configuration as their defaults; load replaces the
// current configuration by that of a file.
func parse(name string, args []string, bind func(*pflag.FlagSet), load func(path string) error) error {
	path, err := parseOnce(name, args, bind)
	if err != nil || path == "" {
		return err
	}
	if err := load(path); err != nil {
		return fmt.Errorf("--config %s: %w", path, err)
	}
	_, err = parseOnce(name, args, bind)
	return err
}

func parseOnce(name string, args []string, bind func(*pflag.FlagSet)) (string, error) {
	fs := pflag.NewFlagSet(name, pflag.ContinueOnError)
	path := fs.String("config", "", "Path of a configuration file of this part; flags win over it")
	bind(fs)
	if err := fs.Parse(args); err != nil {
		return "", err
	}
	if fs.NArg() > 0 {
		return "", fmt.Errorf("unexpected argument %q: only flags are taken", fs.Arg(0))
	}
	return *path, nil
}

// loadFile decodes a configuration file strictly, with upstream's own loader.
func loadFile(path string, into configfile.ConfigFile) error {
	loader, err := configfile.NewConfigurationFSLoader(nil, path)
	if err != nil {
		return err
	}
	return loader.Load(into)
}

// apply validates what was read and makes logging and the feature gates follow it.
// One binary knows the gates of all parts, so a gate of another part is accepted here where upstream would refuse it.
func apply(problems field.ErrorList, gates map[string]bool, logging *logsapi.LoggingConfiguration) error {
	if err := problems.ToAggregate(); err != nil {
		return err
	}
	if err := utilfeature.DefaultMutableFeatureGate.SetFromMap(gates); err != nil {
		return fmt.Errorf("feature gates: %w", err)
	}
	return logf.ValidateAndApply(logging)
}

// refuseUnserved refuses what upstream's main offers and this one does not.
func refuseUnserved(metricsTLS shared.TLSConfig, profiling bool) error {
	if metricsTLS.FilesystemConfigProvided() || metricsTLS.DynamicConfigProvided() {
		return errors.New("metricsTLSConfig: the lab's build serves metrics without TLS only; remove it")
	}
	if profiling {
		return errors.New("enablePprof: the lab's build has no profiler; remove it")
	}
	return nil
}

func gateFlag(fs *pflag.FlagSet, gates *map[string]bool) {
	fs.Var(cliflag.NewMapStringBool(gates), "feature-gates", "Feature gates as key=value pairs")
}

func leaderElectionFlags(fs *pflag.FlagSet, c *shared.LeaderElectionConfig) {
	duration := func(p *time.Duration, name, usage string) { fs.DurationVar(p, name, *p, usage) }
	fs.BoolVar(&c.Enabled, "leader-elect", c.Enabled, "Let one of several replicas work at a time")
	fs.StringVar(&c.Namespace, "leader-election-namespace", c.Namespace, "Namespace of the lease")
	duration(&c.LeaseDuration, "leader-election-lease-duration", "Age at which a lease may be taken over")
	duration(&c.RenewDeadline, "leader-election-renew-deadline", "Time after which a leader that cannot renew gives up")
	duration(&c.RetryPeriod, "leader-election-retry-period", "Pause between two attempts")
}
