//go:build e2e

package e2e

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"plateau/internal/accountweb"
	"plateau/internal/testkit"
)

// accountPlaces are examples for a page of one's own account.
func accountPlaces(ctx context.Context, t *testing.T, pattern string) []string {
	t.Helper()
	switch pattern {
	case accountweb.CodePath: // wants a second factor in force, and the sample accounts serve all tests; accountweb's own tests draw it
		return nil
	case "/account/provider": // wants an identity provider; TestProvider looks at it
		return nil
	case "/account/second-factor/set-up":
		open(ctx, t, "/zh/account/second-factor")
		press(ctx, t, `form[action$="/begin"] button`)
	case "/set-password":
		out, err := exec.CommandContext(ctx, filepath.Join(testkit.Root(), "bin", "plateau"), "user", "link", "enterprise", "--data", filepath.Join(demo.dir, "data")).CombinedOutput()
		_, link, ok := strings.Cut(strings.TrimSpace(string(out)), demo.http)
		if err != nil || !ok {
			t.Fatalf("%s: %v", out, err)
		}
		return []string{link}
	case "/audit/entries/{chain}/{seq}":
		open(ctx, t, "/zh/audit")
		return []string{strings.TrimPrefix(follow(ctx, t, "main table", `^/zh/audit/entries/`), "/zh")}
	case "/accounts/{id}":
		open(ctx, t, "/zh/accounts")
		return []string{strings.TrimPrefix(follow(ctx, t, "main table", `^/zh/accounts/[^/?]+$`), "/zh")}
	}
	return []string{pattern}
}
