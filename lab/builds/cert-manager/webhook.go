// Copyright: (c) 2026, The Enclii Platform Authors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"

	"github.com/spf13/pflag"

	"github.com/cert-manager/cert-manager/internal/apis/config/webhook/validation"
	internalwebhook "github.com/cert-manager/cert-manager/internal/webhook"
	_ "github.com/cert-manager/cert-manager/internal/webhook/feature"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/webhook/configfile"
	"github.com/cert-manager/cert-manager/pkg/webhook/options"
)

// runWebhook serves admission (--secure-port), health (6080: /livez, /healthz) and metrics (9402). The server, its
// flags and its dynamic serving authority are upstream's whole.
func runWebhook(ctx context.Context, args []string) error {
	cfg, err := options.NewWebhookConfiguration()
	if err != nil {
		return err
	}
	bind := func(fs *pflag.FlagSet) { options.AddConfigFlags(fs, cfg) }
	load := func(path string) error {
		file := configfile.New()
		err := loadFile(path, file)
		cfg = file.Config
		return err
	}
	if err := parse("webhook", args, bind, load); err != nil {
		return err
	}
	if err := apply(validation.ValidateWebhookConfiguration(cfg, nil), cfg.FeatureGates, &cfg.Logging); err != nil {
		return err
	}
	log := logf.Log.WithName("webhook")
	server, err := internalwebhook.NewCertManagerWebhookServer(log, *cfg)
	if err != nil {
		return err
	}
	return server.Run(logf.NewContext(ctx, log))
}
