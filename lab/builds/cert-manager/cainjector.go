// Copyright: (c) 2026, The Enclii Platform Authors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"

	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	apiext "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kscheme "k8s.io/client-go/kubernetes/scheme"
	apireg "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	config "github.com/cert-manager/cert-manager/internal/apis/config/cainjector"
	configscheme "github.com/cert-manager/cert-manager/internal/apis/config/cainjector/scheme"
	"github.com/cert-manager/cert-manager/internal/apis/config/cainjector/validation"
	_ "github.com/cert-manager/cert-manager/internal/cainjector/feature"
	"github.com/cert-manager/cert-manager/internal/kube"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	configv1alpha1 "github.com/cert-manager/cert-manager/pkg/apis/config/cainjector/v1alpha1"
	"github.com/cert-manager/cert-manager/pkg/cainjector/configfile"
	"github.com/cert-manager/cert-manager/pkg/controller/cainjector"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/util"
)

func caInjectorConfig(args []string) (*config.CAInjectorConfiguration, error) {
	scheme, _, err := configscheme.NewSchemeAndCodecs()
	if err != nil {
		return nil, err
	}
	cfg := &config.CAInjectorConfiguration{}
	if err := defaults(scheme, &configv1alpha1.CAInjectorConfiguration{}, cfg); err != nil {
		return nil, err
	}
	bind := func(fs *pflag.FlagSet) {
		fs.StringVar(&cfg.KubeConfig, "kubeconfig", cfg.KubeConfig, "Kubeconfig; without it, the one of the pod")
		fs.StringVar(&cfg.Namespace, "namespace", cfg.Namespace, "Watch this namespace only")
		fs.StringVar(&cfg.MetricsListenAddress, "metrics-listen-address", cfg.MetricsListenAddress, "0 serves none")
		leaderElectionFlags(fs, &cfg.LeaderElectionConfig)
		gateFlag(fs, &cfg.FeatureGates)
		logf.AddFlags(&cfg.Logging, fs)
	}
	load := func(path string) error {
		file := configfile.New()
		err := loadFile(path, file)
		cfg = file.Config
		return err
	}
	if err := parse("cainjector", args, bind, load); err != nil {
		return nil, err
	}
	if err := refuseUnserved(cfg.MetricsTLSConfig, cfg.EnablePprof); err != nil {
		return nil, err
	}
	problems := validation.ValidateCAInjectorConfiguration(cfg, nil)
	return cfg, apply(problems, cfg.FeatureGates, &cfg.Logging)
}

// runCAInjector writes CA bundles into webhook configurations, CRDs and APIServices that ask for one.
func runCAInjector(ctx context.Context, args []string) error {
	cfg, err := caInjectorConfig(args)
	if err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		kscheme.AddToScheme, cmapi.AddToScheme, apiext.AddToScheme, apireg.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return err
		}
	}
	restConfig, err := kube.BuildClientConfig("", cfg.KubeConfig)
	if err != nil {
		return err
	}
	lease := cfg.LeaderElectionConfig
	options := ctrl.Options{
		Scheme:                        scheme,
		Logger:                        logf.Log.WithName("cainjector"),
		Metrics:                       metricsserver.Options{BindAddress: cfg.MetricsListenAddress},
		LeaderElection:                lease.Enabled,
		LeaderElectionNamespace:       lease.Namespace,
		LeaderElectionID:              "cert-manager-cainjector-leader-election", // the name the chart's Role allows
		LeaderElectionReleaseOnCancel: true,
		LeaseDuration:                 &lease.LeaseDuration,
		RenewDeadline:                 &lease.RenewDeadline,
		RetryPeriod:                   &lease.RetryPeriod,
		// Only the metadata of Secrets is watched; the few that are needed are read one by one.
		Client: client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}},
	}
	if cfg.Namespace != "" {
		options.Cache.DefaultNamespaces = map[string]cache.Config{cfg.Namespace: {}}
	}
	mgr, err := ctrl.NewManager(util.RestConfigWithUserAgent(restConfig, "cainjector"), options)
	if err != nil {
		return err
	}
	on := cfg.EnableInjectableConfig
	if err := cainjector.RegisterAllInjectors(ctx, mgr, cainjector.SetupOptions{
		Namespace:                    cfg.Namespace,
		IgnoreNamespaces:             cfg.IgnoreNamespaces,
		EnableCertificatesDataSource: cfg.EnableDataSourceConfig.Certificates,
		EnabledReconcilersFor: map[string]bool{
			cainjector.MutatingWebhookConfigurationName:   on.MutatingWebhookConfigurations,
			cainjector.ValidatingWebhookConfigurationName: on.ValidatingWebhookConfigurations,
			cainjector.APIServiceName:                     on.APIServices,
			cainjector.CustomResourceDefinitionName:       on.CustomResourceDefinitions,
		},
	}); err != nil {
		return err
	}
	return mgr.Start(ctx)
}
