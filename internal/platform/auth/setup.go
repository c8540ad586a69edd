package auth

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"plateau/internal/platform/errs"
)

// FirstLinkFile is the file in the data folder that holds the link by which the
// first operator sets a password.
const FirstLinkFile = "initial-password.txt"

// EnsureOperator makes the account "admin" when there is no account at all. While
// nobody has a password yet it returns the key of a new link that sets admin's,
// so that a link nobody opened in time locks nobody out; else "".
func (s *Service) EnsureOperator(ctx context.Context) (key string, err error) {
	var users, usable int
	if err := s.db.QueryRow(ctx, `SELECT count(*), count(CASE WHEN u.password <> '' THEN 1 END) FROM users u`).Scan(&users, &usable); err != nil {
		return "", fmt.Errorf("count users: %w", err)
	}
	if users == 0 {
		if _, err := s.AddUser(ctx, User{Login: firstLogin, Post: Post{Zh: "系统管理员", En: "Operator"}, Role: Operator}); err != nil {
			return "", fmt.Errorf("create first operator: %w", err)
		}
	}
	if usable > 0 {
		return "", nil
	}
	u, err := s.UserByLogin(ctx, firstLogin)
	if errs.Is(err, errs.NotFound) { // other accounts, made by command: so are their links
		return "", nil
	} else if err != nil {
		return "", err
	}
	return s.MakeLink(ctx, u.ID)
}

const firstLogin = "admin"

// WriteFirstLink writes the first operator's link to a file in dataDir that only
// its owner can read, and returns the file's path.
func WriteFirstLink(dataDir, link string) (path string, err error) {
	path = filepath.Join(dataDir, FirstLinkFile)
	if err := writeSecret(path, link+"\n"); err != nil {
		return "", fmt.Errorf("write the first operator's link: %w", err)
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
// is on; plant that of the account "plant" and county the area of "county", who
// supervises it, "" = there are none. Accounts that exist are left as they are.
func (s *Service) EnsureSamples(ctx context.Context, enterprise, plant, county string) ([]SampleSignIn, error) {
	const supervisor = Role("supervisor_county")
	samples := []struct {
		user     User
		password string
	}{
		{User{Login: "officer", Role: Officer, Post: Post{Zh: "值班员（示例）", En: "Duty officer (sample)"}}, "officer-sample"},
		{User{Login: "enterprise", Role: Business, Enterprise: enterprise, Post: Post{Zh: "企业环保专员（示例）", En: "Enterprise environment post (sample)"}}, "enterprise-sample"},
		{User{Login: "operator", Role: Operator, Post: Post{Zh: "系统管理员（示例）", En: "Operator (sample)"}}, "operator-sample"},
		{User{Login: "county", Role: supervisor, Area: county, Post: Post{Zh: "县级监管（示例）", En: "County supervisor (sample)"}}, "county-sample"},
		{User{Login: "plant", Role: Business, Enterprise: plant, Post: Post{Zh: "超标企业环保专员（示例）", En: "Environment post of an enterprise over its limit (sample)"}}, "plant-sample"},
		{User{Login: "clerk", Role: "office_clerk", Post: Post{Zh: "河长办（示例）", En: "River-chief office (sample)"}}, "clerk-sample"},
		{User{Login: "water", Role: "dept_handler", Post: Post{Zh: "水利局经办（示例）", En: "Water bureau, handler (sample)"}}, "water-sample"},
	}
	var out []SampleSignIn
	for _, x := range samples {
		if x.user.Role == Business && x.user.Enterprise == "" || x.user.Role == supervisor && county == "" {
			continue
		}
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
	token, _, err := s.CreateToken(ctx, id, label, "", s.now().Add(min(life, s.most)))
	return token, err
}
