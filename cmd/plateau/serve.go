package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"plateau/internal/app"
	"plateau/internal/platform/config"
)

// settings maps the flags that serve and demo share to the settings they set.
var settings = map[string]string{"data": "data", "http": "http.addr", "hj212": "hj212.addr", "hj212-udp": "hj212.udp_addr", "mqtt": "mqtt.addr", "adopt-unknown": "hj212.adopt_unknown"}

func serverFlags(fs *flag.FlagSet, o *app.Options, data, about string) {
	d := config.Default()
	fs.String("data", data, about)
	fs.String("http", d.HTTP.Addr, "address for pages and interfaces; with port 0 a free one is taken")
	fs.String("hj212", d.HJ212.Addr, "address for loggers (HJ 212 over TCP); with port 0 a free one is taken")
	fs.String("hj212-udp", d.HJ212.UDPAddr, "address for loggers that send HJ 212 over UDP; none when empty")
	fs.String("mqtt", d.MQTT.Addr, "address of the MQTT broker, such as :1883; without it there is none")
	fs.StringVar(&o.ConfigFile, "config", "", "configuration file (TOML); PLATEAU_… variables and flags override it")
}

func cmdServe(args []string, std stdio) int {
	o := app.Options{Stdout: std.Out, Stderr: std.Err}
	fs := newFlags(std, "serve", "serve --data DIR [--http ADDR] [--hj212 ADDR] [--hj212-udp ADDR] [--mqtt ADDR] [--config FILE] [--adopt-unknown]",
		"Runs the server until it is told to stop (Ctrl-C or SIGTERM). The addresses are printed to\nstandard output, one a line, before anything else; the log goes to standard error.",
		"plateau serve --data /var/lib/plateau --http :8080 --hj212 :9212")
	serverFlags(fs, &o, config.Default().Data, "folder for everything the program keeps")
	fs.Bool("adopt-unknown", false, "register unknown loggers on their first valid frame, whatever their password, and lift the quotas per device; for trials and load tests only")
	if code, done := parse(fs, args, std, 0); done {
		return code
	}
	return serve(o, fs, std)
}

func cmdDemo(args []string, std stdio) int {
	o := app.Options{Stdout: std.Out, Stderr: std.Err, Demo: true}
	fs := newFlags(std, "demo", "demo [--data DIR] [--http ADDR] [--hj212 ADDR] [--hj212-udp ADDR] [--mqtt ADDR] [--config FILE] [--series DIR] [--sta-open]",
		"Runs the server with a sample region and simulated loggers that send HJ 212 over TCP. Thirty\ndays of history are filled in at start through the same path. Addresses and sign-ins are\nprinted to standard output, the log goes to standard error.",
		"plateau demo --http 127.0.0.1:8080")
	serverFlags(fs, &o, "", "folder for everything the program keeps; a later start goes on with it (default a temporary one, removed at the end)")
	fs.StringVar(&o.SeriesDir, "series", "", "folder with real series to play (cems, wastewater, surface-water); without it PLATEAU_SHARED or ../shared is used where present, else generated series")
	fs.BoolVar(&o.STAOpen, "sta-open", false, "let everybody read and write SensorThings (/sta/v1.1) without sign-in and without a rate limit, for trials of clients and conformance checks")
	if code, done := parse(fs, args, std, 0); done {
		return code
	}
	return serve(o, fs, std)
}

func serve(o app.Options, fs *flag.FlagSet, std stdio) int {
	o.Flags, o.Env, o.Version = map[string]string{}, os.Environ(), version
	fs.Visit(func(f *flag.Flag) {
		if key, ok := settings[f.Name]; ok {
			o.Flags[key] = f.Value.String()
		}
	})
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := app.Run(ctx, o); err != nil {
		return fail(std, fs.Name(), err)
	}
	return 0
}

func cmdConfig(args []string, std stdio) int {
	fs := newFlags(std, "config", "config check [--config FILE]",
		"Reads the configuration as serve does (file, PLATEAU_… variables) and prints what it comes\nto, without secrets; says which key is wrong and what to write instead.",
		"plateau config check --config /etc/plateau.toml")
	file := fs.String("config", "", "configuration file (TOML)")
	what := ""
	if len(args) > 0 && args[0] == "check" {
		what, args = args[0], args[1:]
	}
	if code, done := parse(fs, args, std, 0); done {
		return code
	}
	if what == "" {
		fmt.Fprintln(std.Err, "plateau config: say what to do: check")
		return 2
	}
	c, unknown, err := config.Load(config.Source{Defaults: config.Default(), File: *file, Env: os.Environ()})
	if err != nil {
		return fail(std, "config check", err)
	}
	for _, name := range unknown {
		fmt.Fprintf(std.Err, "plateau config check: %s sets nothing\n", name)
	}
	if err := c.Print(std.Out); err != nil {
		return fail(std, "config check", err)
	}
	return 0
}
