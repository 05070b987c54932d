// Copyright: (c) 2026, The Enclii Platform Authors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/sets"

	config "github.com/cert-manager/cert-manager/internal/apis/config/controller"
	configscheme "github.com/cert-manager/cert-manager/internal/apis/config/controller/scheme"
	internalv1alpha1 "github.com/cert-manager/cert-manager/internal/apis/config/controller/v1alpha1"
	"github.com/cert-manager/cert-manager/internal/apis/config/controller/validation"
	"github.com/cert-manager/cert-manager/internal/controller/feature"
	"github.com/cert-manager/cert-manager/internal/pem"
	configv1alpha1 "github.com/cert-manager/cert-manager/pkg/apis/config/controller/v1alpha1"
	"github.com/cert-manager/cert-manager/pkg/controller"
	gateways "github.com/cert-manager/cert-manager/pkg/controller/certificate-shim/gateways"
	listenerset "github.com/cert-manager/cert-manager/pkg/controller/certificate-shim/listenerset"
	"github.com/cert-manager/cert-manager/pkg/controller/configfile"
	dnsutil "github.com/cert-manager/cert-manager/pkg/issuer/acme/dns/util"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
	utilfeature "github.com/cert-manager/cert-manager/pkg/util/feature"
)

// controllerConfig reads flags and file. The flags are those that the chart passes and the addresses; the rest of
// upstream's flags are fields of the configuration file.
func controllerConfig(args []string) (*config.ControllerConfiguration, error) {
	scheme, _, err := configscheme.NewSchemeAndCodecs()
	if err != nil {
		return nil, err
	}
	cfg := &config.ControllerConfiguration{}
	if err := defaults(scheme, &configv1alpha1.ControllerConfiguration{}, cfg); err != nil {
		return nil, err
	}
	bind := func(fs *pflag.FlagSet) { controllerFlags(fs, cfg) }
	load := func(path string) error {
		file := configfile.New()
		err := loadFile(path, file)
		cfg = file.Config
		return err
	}
	if err := parse("controller", args, bind, load); err != nil {
		return nil, err
	}
	if err := refuseUnserved(cfg.MetricsTLSConfig, cfg.EnablePprof); err != nil {
		return nil, err
	}
	problems := validation.ValidateControllerConfiguration(cfg, nil)
	return cfg, apply(problems, cfg.FeatureGates, &cfg.Logging)
}

func controllerFlags(fs *pflag.FlagSet, c *config.ControllerConfiguration) {
	text := func(p *string, name, usage string) { fs.StringVar(p, name, *p, usage) }
	list := func(p *[]string, name, usage string) { fs.StringSliceVar(p, name, *p, usage) }
	yes := func(p *bool, name, usage string) { fs.BoolVar(p, name, *p, usage) }

	text(&c.KubeConfig, "kubeconfig", "Kubeconfig; without it, the one of the pod")
	text(&c.Namespace, "namespace", "Work in this namespace only, without ClusterIssuers")
	text(&c.ClusterResourceNamespace, "cluster-resource-namespace", "Namespace of the Secrets of ClusterIssuers")
	list(&c.Controllers, "controllers", "Controllers to run: * all that are on by default, foo also foo, -foo not foo")
	text(&c.MetricsListenAddress, "metrics-listen-address", "Address of /metrics; 0 serves none")
	text(&c.HealthzListenAddress, "internal-healthz-listen-address", "Address of /livez")
	yes(&c.EnableCertificateOwnerRef, "enable-certificate-owner-ref", "Delete a Secret with its Certificate")
	fs.IntVar(&c.MaxConcurrentChallenges, "max-concurrent-challenges", c.MaxConcurrentChallenges, "ACME challenges at once")

	shim := &c.IngressShimConfig
	text(&shim.DefaultIssuerName, "default-issuer-name", "Issuer for an Ingress that names none")
	text(&shim.DefaultIssuerKind, "default-issuer-kind", "Kind of that issuer")
	text(&shim.DefaultIssuerGroup, "default-issuer-group", "API group of that issuer")

	http01, dns01 := &c.ACMEHTTP01Config, &c.ACMEDNS01Config
	text(&http01.SolverImage, "acme-http01-solver-image", "Image of the HTTP01 solver pods")
	text(&http01.SolverRuntimeClassName, "acme-http01-solver-runtime-class-name", "Their runtime class")
	fs.StringToStringVar(&http01.SolverExtraLabels, "acme-http01-solver-extra-labels", http01.SolverExtraLabels,
		"Labels added to the solvers' objects")
	list(&dns01.RecursiveNameservers, "dns01-recursive-nameservers", "Name servers of the DNS01 self check")
	yes(&dns01.RecursiveNameserversOnly, "dns01-recursive-nameservers-only", "Ask only these name servers")

	leaderElectionFlags(fs, &c.LeaderElectionConfig.LeaderElectionConfig)
	gateFlag(fs, &c.FeatureGates)
	logf.AddFlags(&c.Logging, fs)
}

// enabledControllers resolves --controllers. A list of nothing but exceptions ("-foo") means all but these: the
// chart's disableAutoApproval relies on it.
func enabledControllers(c *config.ControllerConfiguration) sets.Set[string] {
	enabled, disabled := sets.New[string](), sets.New[string]()
	for _, name := range c.Controllers {
		if without, ok := strings.CutPrefix(name, "-"); ok {
			disabled.Insert(without)
		} else if name == "*" {
			enabled.Insert(internalv1alpha1.DefaultEnabledControllers...)
		} else {
			enabled.Insert(name)
		}
	}
	if enabled.Len() == 0 {
		enabled.Insert(internalv1alpha1.DefaultEnabledControllers...)
	}
	if utilfeature.DefaultFeatureGate.Enabled(feature.ExperimentalCertificateSigningRequestControllers) {
		enabled.Insert(internalv1alpha1.ExperimentalCertificateSigningRequestControllers...)
	}
	if c.GatewayAPIConfig.Enabled && utilfeature.DefaultFeatureGate.Enabled(feature.ExperimentalGatewayAPISupport) {
		enabled.Insert(gateways.ControllerName)
		if c.GatewayAPIConfig.EnableListenerSet && utilfeature.DefaultFeatureGate.Enabled(feature.ListenerSets) {
			enabled.Insert(listenerset.ControllerName)
		}
	}
	if c.Namespace != "" {
		disabled.Insert(internalv1alpha1.ClusterScopedControllers...)
	}
	return enabled.Difference(disabled)
}

// contextOptions turns the configuration into what the controllers are built from.
func contextOptions(c *config.ControllerConfiguration) (controller.ContextOptions, error) {
	limits := c.PEMSizeLimitsConfig
	pem.SetGlobalSizeLimits(pem.NewSizeLimitsFromConfig(
		limits.MaxCertificateSize, limits.MaxPrivateKeySize, limits.MaxChainLength, limits.MaxBundleSize))

	nameservers := c.ACMEDNS01Config.RecursiveNameservers
	if len(nameservers) == 0 {
		nameservers = dnsutil.RecursiveNameservers // those of /etc/resolv.conf
	}
	http01, shim := c.ACMEHTTP01Config, c.IngressShimConfig
	acme := controller.ACMEOptions{
		HTTP01SolverImage:            http01.SolverImage,
		ACMEHTTP01SolverRunAsNonRoot: http01.SolverRunAsNonRoot,
		HTTP01SolverRuntimeClassName: http01.SolverRuntimeClassName,
		HTTP01SolverNameservers:      http01.SolverNameservers,
		HTTP01SolverExtraLabels:      http01.SolverExtraLabels,
		DNS01CheckAuthoritative:      !c.ACMEDNS01Config.RecursiveNameserversOnly,
		DNS01Nameservers:             nameservers,
		DNS01CheckRetryPeriod:        c.ACMEDNS01Config.CheckRetryPeriod,
	}
	for _, quantity := range []struct {
		field, value string
		out          *resource.Quantity
	}{
		{"solverResourceRequestCPU", http01.SolverResourceRequestCPU, &acme.HTTP01SolverResourceRequestCPU},
		{"solverResourceRequestMemory", http01.SolverResourceRequestMemory, &acme.HTTP01SolverResourceRequestMemory},
		{"solverResourceLimitsCPU", http01.SolverResourceLimitsCPU, &acme.HTTP01SolverResourceLimitsCPU},
		{"solverResourceLimitsMemory", http01.SolverResourceLimitsMemory, &acme.HTTP01SolverResourceLimitsMemory},
	} {
		parsed, err := resource.ParseQuantity(quantity.value)
		if err != nil {
			return controller.ContextOptions{}, fmt.Errorf("acmeHTTP01Config.%s %q: %w", quantity.field, quantity.value, err)
		}
		*quantity.out = parsed
	}
	return controller.ContextOptions{
		Kubeconfig:         c.KubeConfig,
		APIServerHost:      c.APIServerHost,
		KubernetesAPIQPS:   c.KubernetesAPIQPS,
		KubernetesAPIBurst: c.KubernetesAPIBurst,
		Namespace:          c.Namespace,
		ACMEOptions:        acme,
		IssuerOptions: controller.IssuerOptions{
			ClusterResourceNamespace:        c.ClusterResourceNamespace,
			ClusterIssuerAmbientCredentials: c.ClusterIssuerAmbientCredentials,
			IssuerAmbientCredentials:        c.IssuerAmbientCredentials,
		},
		IngressShimOptions: controller.IngressShimOptions{
			DefaultIssuerName:                 shim.DefaultIssuerName,
			DefaultIssuerKind:                 shim.DefaultIssuerKind,
			DefaultIssuerGroup:                shim.DefaultIssuerGroup,
			DefaultAutoCertificateAnnotations: shim.DefaultAutoCertificateAnnotations,
			ExtraCertificateAnnotations:       shim.ExtraCertificateAnnotations,
			GatewayAPIExtraProtocols:          sets.New(c.GatewayAPIConfig.ExtraProtocols...),
		},
		CertificateOptions: controller.CertificateOptions{
			EnableOwnerRef:                           c.EnableCertificateOwnerRef,
			CopiedAnnotationPrefixes:                 c.CopiedAnnotationPrefixes,
			CertificateRequestMinimumBackoffDuration: c.CertificateRequestMinimumBackoffDuration,
			CertificateRequestMaximumBackoffDuration: c.CertificateRequestMaximumBackoffDuration,
		},
		SchedulerOptions: controller.SchedulerOptions{MaxConcurrentChallenges: c.MaxConcurrentChallenges},
		ConfigOptions: controller.ConfigOptions{
			EnableGatewayAPI:            c.GatewayAPIConfig.Enabled,
			EnableGatewayAPIListenerSet: c.GatewayAPIConfig.EnableListenerSet,
		},
	}, nil
}
