package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"plateau/internal/platform/errs"
)

// InitialPasswordFile is the file in the data folder that holds the first
// operator's password.
const InitialPasswordFile = "initial-password.txt"

// EnsureOperator makes the account "admin" when there is no account at all, and
// writes its random password to a file in dataDir that only its owner can read.
// It returns the file's path, "" when nothing was made.
func (s *Service) EnsureOperator(ctx context.Context, dataDir string) (path string, err error) {
	var n int
	if err := s.db.QueryRow(ctx, `SELECT count(*) FROM users`).Scan(&n); err != nil {
		return "", fmt.Errorf("count users: %w", err)
	}
	if n > 0 {
		return "", nil
	}
	password := strings.ToLower(rand.Text())
	// The file comes first: an account whose password nobody can read would
	// lock everybody out, a file without an account is replaced at the next start.
	path = filepath.Join(dataDir, InitialPasswordFile)
	if err := writeSecret(path, password+"\n"); err != nil {
		return "", fmt.Errorf("write initial password: %w", err)
	}
	_, err = s.CreateUser(ctx, User{Login: "admin", Post: Post{Zh: "系统管理员", En: "Operator"}, Role: Operator}, password)
	if err != nil {
		return "", fmt.Errorf("create first operator: %w", err)
	}
	return path, nil
}

func writeSecret(path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".initial-*") // made with 0600
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// SampleSignIn is an account of the demonstration with its password, to be printed.
type SampleSignIn struct {
	Login, Password string
	Post            Post
}

// EnsureSamples makes one account for each role, for the demonstration only:
// their passwords are public. enterprise is whose side the account "enterprise"
// is on. Accounts that exist are left as they are.
func (s *Service) EnsureSamples(ctx context.Context, enterprise string) ([]SampleSignIn, error) {
	samples := []struct {
		user     User
		password string
	}{
		{User{Login: "officer", Role: Officer, Post: Post{Zh: "值班员（示例）", En: "Duty officer (sample)"}}, "officer-sample"},
		{User{Login: "enterprise", Role: Business, Enterprise: enterprise, Post: Post{Zh: "企业环保专员（示例）", En: "Enterprise environment post (sample)"}}, "enterprise-sample"},
		{User{Login: "operator", Role: Operator, Post: Post{Zh: "系统管理员（示例）", En: "Operator (sample)"}}, "operator-sample"},
	}
	var out []SampleSignIn
	for _, x := range samples {
		x.user.Sample = true
		// Not by CreateUser: these passwords are public, whatever they look like.
		u, err := checkUser(x.user)
		if err != nil {
			return nil, fmt.Errorf("sample account %s: %w", x.user.Login, err)
		}
		if _, err := s.insertUser(ctx, u, x.password); err != nil && !errs.Is(err, errs.Conflict) {
			return nil, fmt.Errorf("create sample account %s: %w", x.user.Login, err)
		}
		out = append(out, SampleSignIn{x.user.Login, x.password, x.user.Post})
	}
	return out, nil
}

// OperatorToken makes a token of an operator account for programs, valid for
// life; label tells what it is for. It is what "operator token:" prints.
func (s *Service) OperatorToken(ctx context.Context, label string, life time.Duration) (string, error) {
	var id string
	err := s.db.QueryRow(ctx, `SELECT u.id FROM users u WHERE u.role = $1 AND u.disabled = 0 ORDER BY u.created_at LIMIT 1`, string(Operator)).Scan(&id)
	if err != nil {
		return "", fmt.Errorf("find an operator: %w", err)
	}
	token, _, err := s.CreateToken(ctx, id, label, s.now().Add(life))
	return token, err
}
