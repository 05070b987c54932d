// Copyright: (c) 2026, The Enclii Platform Authors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	config "github.com/cert-manager/cert-manager/internal/apis/config/controller"
	"github.com/cert-manager/cert-manager/pkg/controller"
	"github.com/cert-manager/cert-manager/pkg/healthz"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/server"

	// Issuers and controllers register themselves when their package is imported. The controllers come with the
	// configuration's defaults, which name each of them; the listenerset alone is missing there.
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificate-shim/listenerset"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/acme"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/ca"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/selfsigned"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/vault"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/venafi"
)

// leaseName is the one Lease that the chart's Role lets the controller update.
const leaseName = "cert-manager-controller"

// runController serves health (9403: /livez) and metrics (9402) at once, and runs the control loops while it leads.
func runController(ctx context.Context, args []string) error {
	cfg, err := controllerConfig(args)
	if err != nil {
		return err
	}
	options, err := contextOptions(cfg)
	if err != nil {
		return err
	}
	ctx = logf.NewContext(ctx, logf.Log, "controller")
	group, ctx := errgroup.WithContext(ctx)
	factory, err := controller.NewContextFactory(ctx, options)
	if err != nil {
		return err
	}
	root, err := factory.Build()
	if err != nil {
		return err
	}
	// Before the informers start: asking for a lister is what makes the factory watch its kind.
	registerMetrics(root)

	health := healthz.NewServer(cfg.LeaderElectionConfig.HealthzTimeout)
	healthListener, err := server.Listen(ctx, "tcp", cfg.HealthzListenAddress)
	if err != nil {
		return fmt.Errorf("health endpoint %s: %w", cfg.HealthzListenAddress, err)
	}
	group.Go(func() error { return health.Start(ctx, healthListener) })
	if err := serveMetrics(ctx, group, root, cfg.MetricsListenAddress); err != nil {
		return err
	}

	group.Go(func() error {
		if !cfg.LeaderElectionConfig.Enabled {
			return runLoops(ctx, cfg, factory, root)
		}
		return lead(ctx, cfg, factory, health.LeaderHealthzAdaptor, func(ctx context.Context) error {
			return runLoops(ctx, cfg, factory, root)
		})
	})
	return group.Wait()
}

func registerMetrics(root *controller.Context) {
	cm := root.SharedInformerFactory.Certmanager().V1()
	root.Metrics.SetupACMECollector(root.SharedInformerFactory.Acme().V1().Challenges().Lister())
	root.Metrics.SetupCertificateCollector(cm.Certificates().Lister())
	root.Metrics.SetupIssuerCollector(cm.Issuers().Lister())
	if root.Namespace == "" { // ClusterIssuers cannot be listed from within one namespace
		root.Metrics.SetupClusterIssuerCollector(cm.ClusterIssuers().Lister())
	}
}

func serveMetrics(ctx context.Context, group *errgroup.Group, root *controller.Context, address string) error {
	if address == "0" {
		return nil
	}
	listener, err := server.Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("metrics endpoint %s: %w", address, err)
	}
	metrics := root.Metrics.NewServer(listener)
	group.Go(func() error {
		if err := metrics.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		return metrics.Shutdown(grace)
	})
	return nil
}

// lead runs work once the lease is held. A lost lease ends the process: another replica works from then on.
func lead(
	ctx context.Context, cfg *config.ControllerConfiguration, factory *controller.ContextFactory,
	watchdog *leaderelection.HealthzAdaptor, work func(context.Context) error,
) error {
	own, err := factory.Build("leader-election")
	if err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	lease := cfg.LeaderElectionConfig
	lock, err := resourcelock.New(resourcelock.LeasesResourceLock, lease.Namespace, leaseName,
		own.Client.CoreV1(), own.Client.CoordinationV1(),
		// The process id keeps two controllers apart that share a host name (hostNetwork, tests).
		resourcelock.ResourceLockConfig{Identity: fmt.Sprintf("%s_%d", host, os.Getpid()), EventRecorder: own.Recorder})
	if err != nil {
		return err
	}

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	result := make(chan error, 1)
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: lock, Name: leaseName, WatchDog: watchdog, ReleaseOnCancel: true,
		LeaseDuration: lease.LeaseDuration, RenewDeadline: lease.RenewDeadline, RetryPeriod: lease.RetryPeriod,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) {
				result <- work(ctx)
				stop() // the lease is given back when the work has ended, for whatever reason
			},
			OnStoppedLeading: func() {},
		},
	})
	if err != nil {
		return err
	}
	elector.Run(ctx)
	ended := ctx.Err() != nil // false: the lease was lost while nobody asked to stop
	select {
	case err = <-result:
	default:
	}
	if err == nil && !ended {
		err = fmt.Errorf("the lease %s/%s is lost", lease.Namespace, leaseName)
	}
	return err
}

// runLoops builds every enabled controller, starts the watches they asked for and runs them until the context ends.
func runLoops(
	ctx context.Context, cfg *config.ControllerConfiguration, factory *controller.ContextFactory,
	root *controller.Context,
) error {
	enabled := enabledControllers(cfg)
	known := controller.Known()
	built := make(map[string]controller.Interface, len(enabled))
	for _, name := range slices.Sorted(maps.Keys(enabled)) {
		construct, ok := known[name]
		if !ok {
			return fmt.Errorf("controller %q is enabled but not part of this build", name)
		}
		loop, err := construct(factory)
		if err != nil {
			return fmt.Errorf("controller %s: %w", name, err)
		}
		built[name] = loop
	}

	root.SharedInformerFactory.Start(ctx.Done())
	root.KubeSharedInformerFactory.Start(ctx.Done())
	root.HTTP01ResourceMetadataInformersFactory.Start(ctx.Done())
	if root.GatewaySolverEnabled {
		root.GWShared.Start(ctx.Done())
	}

	group, ctx := errgroup.WithContext(ctx)
	for name, loop := range built {
		group.Go(func() error {
			if err := loop.Run(cfg.NumberOfConcurrentWorkers, ctx); err != nil && ctx.Err() == nil {
				return fmt.Errorf("controller %s: %w", name, err)
			}
			return nil
		})
	}
	return group.Wait()
}
