//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"plateau/internal/testkit"
)

// program is one running plateau.
type program struct {
	http, hj212, token string
	dir                string
	cmd                *exec.Cmd
	logs               string
}

// start runs the built binary and reads the addresses it prints.
func start(ctx context.Context, args ...string) (*program, error) {
	bin := filepath.Join(testkit.Root(), "bin", "plateau")
	if _, err := os.Stat(bin); err != nil {
		return nil, fmt.Errorf("the program is not built (make build): %w", err)
	}
	dir, err := os.MkdirTemp("", "plateau-e2e-")
	if err != nil {
		return nil, err
	}
	logs, err := os.Create(filepath.Join(dir, "log.txt"))
	if err != nil {
		return nil, err
	}
	defer logs.Close()
	args = append(args, "--data", filepath.Join(dir, "data"), "--http", "127.0.0.1:0", "--hj212", "127.0.0.1:0")
	cmd := exec.CommandContext(ctx, bin, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	cmd.Stderr = logs
	cmd.Dir = testkit.Root()
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &program{dir: dir, cmd: cmd, logs: logs.Name()}
	sc := bufio.NewScanner(out)
	for sc.Scan() && (p.http == "" || p.hj212 == "" || p.token == "") {
		switch name, value, _ := strings.Cut(sc.Text(), ": "); name {
		case "http":
			p.http = value
		case "hj212":
			p.hj212 = value
		case "operator token":
			p.token = value
		}
		if p.http != "" && p.hj212 != "" && p.token != "" {
			break
		}
	}
	go func() {
		for sc.Scan() { // keeps the pipe empty
		}
	}()
	if p.http == "" || p.hj212 == "" {
		_ = cmd.Process.Kill()
		log, _ := os.ReadFile(p.logs)
		return nil, fmt.Errorf("plateau printed no addresses; its log:\n%s", log)
	}
	return p, nil
}

// stop ends the program as an operator would and removes its folder.
func (p *program) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	err := p.cmd.Wait()
	_ = os.RemoveAll(p.dir)
	return err
}

// ready waits until /readyz answers 200.
func (p *program) ready(ctx context.Context) error {
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.http+"/readyz", nil)
		if err != nil {
			return err
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			log, _ := os.ReadFile(p.logs)
			return fmt.Errorf("not ready: %w; log:\n%s", ctx.Err(), log)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

var (
	demo    *program
	browser context.Context
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) (code int) {
	ctx, cancel := context.WithTimeout(context.Background(), 25*time.Minute)
	defer cancel()
	var err error
	if demo, err = start(ctx, "demo"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() {
		if err := demo.stop(); err != nil {
			fmt.Fprintln(os.Stderr, "plateau did not end well:", err)
			code = 1
		}
	}()
	began := time.Now()
	if err := demo.ready(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Printf("demo ready after %s\n", time.Since(began).Round(100*time.Millisecond))

	chrome := ""
	for _, name := range []string{"chromium", "google-chrome", "chromium-browser"} {
		if path, err := exec.LookPath(name); err == nil {
			chrome = path
			break
		}
	}
	if chrome == "" {
		fmt.Fprintln(os.Stderr, "these tests need Chromium: apt-get install chromium")
		return 1
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chrome), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("force-color-profile", "srgb"),
		// Each page is opened once: none is kept for going back, and the tabs of one
		// host share a process instead of starting one for each page.
		chromedp.Flag("process-per-site", true), chromedp.Flag("disable-gpu-rasterization", true),
		chromedp.Flag("disable-features", "BackForwardCache,SpareRendererForSitePerProcess,Translate,OptimizationHints,MediaRouter"))
	alloc, cancelAlloc := chromedp.NewExecAllocator(ctx, opts...)
	defer cancelAlloc()
	var cancelBrowser context.CancelFunc
	browser, cancelBrowser = chromedp.NewContext(alloc)
	defer cancelBrowser()
	if err := chromedp.Do(browser); err != nil {
		fmt.Fprintln(os.Stderr, "Chromium did not start:", err)
		return 1
	}
	return m.Run()
}
