package main

import (
	"bytes"
	"strings"
	"testing"
)

// call runs plateau with arguments.
func call(args ...string) (code int, out, errOut string) {
	var o, e bytes.Buffer
	code = run(args, stdio{In: strings.NewReader(""), Out: &o, Err: &e})
	return code, o.String(), e.String()
}

func TestHelp(t *testing.T) {
	t.Parallel()
	lists := [][]string{{"--help"}, {"help"}, {"hj212", "decode", "--help"}, {"rules", "eval", "--help"}, {"journal", "verify", "--help"}, {"calendar", "due", "--help"}, {"config", "check", "--help"}, {"bench", "ingest", "--help"}}
	for _, c := range commands() {
		lists = append(lists, []string{c.name, "--help"}, []string{"help", c.name})
	}
	for _, args := range lists {
		code, out, errOut := call(args...)
		if code != 0 || errOut != "" || !strings.Contains(out, "Example:") || !strings.Contains(out, "  plateau ") && !strings.Contains(out, "| plateau ") {
			t.Errorf("%v: exit code %d, on standard error %q, no example in:\n%s", args, code, errOut, out)
		}
	}
}

func TestWrongCalls(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{nil, 2, "Usage"},
		{[]string{"sereve"}, 2, `no command "sereve"; "plateau help" lists them`},
		{[]string{"help", "sereve"}, 2, `no command "sereve"`},
		{[]string{"serve", "--prot", "1"}, 2, "-prot"},
		{[]string{"serve", "now"}, 2, `unexpected "now"; see plateau serve --help`},
		{[]string{"simulate"}, 1, "--to ADDR"},
		{[]string{"simulate", "--to", "127.0.0.1:1", "--from", "/nonexistent.csv"}, 1, "/nonexistent.csv"},
		{[]string{"simulate", "--to", "127.0.0.1:1", "--outlets", "0"}, 1, "--outlets N"},
		{[]string{"simulate", "--to", "127.0.0.1:1", "--interval", "0s"}, 1, "--interval D"},
		{[]string{"simulate", "--to", "nowhere"}, 1, "HOST:PORT"},
		{[]string{"verify"}, 1, "--data DIR"},
		{[]string{"verify", "--data", "/nonexistent"}, 1, "/nonexistent holds no journal"},
		{[]string{"backup", "b"}, 1, "--data DIR"},
		{[]string{"backup", "--data", "/nonexistent"}, 1, "TO is needed"},
		{[]string{"backup", "--data", "/nonexistent", "b"}, 1, "/nonexistent holds no journal"},
		{[]string{"backup", "b", "--data", "/nonexistent", "c"}, 2, `unexpected "c"`},
		{[]string{"restore", "--data", "/nonexistent"}, 1, "FROM is needed"},
		{[]string{"restore", "/nonexistent", "--data", "/nonexistent"}, 1, "no complete backup"},
		{[]string{"export"}, 1, "parquet is needed"},
		{[]string{"export", "parquet", "lake"}, 1, "--data DIR"},
		{[]string{"export", "parquet", "--data", "/nonexistent"}, 1, "TO is needed"},
		{[]string{"export", "parquet", "--data", "/nonexistent", "lake"}, 1, "/nonexistent holds no journal"},
		{[]string{"export", "parquet", "--data", "/nonexistent", "lake", "--from", "2026-13-01"}, 1, "is no day; write it as YYYY-MM-DD"},
		{[]string{"case"}, 2, "say what to do: check, types, diff, preview or move"},
		{[]string{"case", "check"}, 2, "a file is missing"},
		{[]string{"case", "diff", "a.yaml"}, 2, "a file is missing"},
		{[]string{"case", "diff", "a.yaml", "b.yaml", "c.yaml"}, 2, `unexpected "c.yaml"`},
		{[]string{"case", "types", "--date", "today"}, 2, "--date wants a day as YYYY-MM-DD"},
		{[]string{"rules"}, 2, "say what to do: eval, list, show, diff or check"},
		{[]string{"rules", "eval", "file.jsonl"}, 2, `unexpected "file.jsonl"`},
		{[]string{"rules", "eval", "--date", "2026-02-30"}, 2, "--date wants a day as YYYY-MM-DD"},
		{[]string{"area", "--data", "d"}, 2, "say what to do: list, import or export"},
		{[]string{"area", "import", "--data", "/nonexistent"}, 1, "--file FILE"},
		{[]string{"area", "list", "--data", "/nonexistent"}, 1, "/nonexistent holds no registry"},
		{[]string{"calendar"}, 2, "say what to do: due, check or list"},
		{[]string{"calendar", "make"}, 2, "say what to do: due, check or list"},
		{[]string{"calendar", "due", "x"}, 2, `unexpected "x"; see plateau calendar due --help`},
		{[]string{"calendar", "due", "--from", "2026-02-13", "--working-days", "5"}, 1, "--calendar FILE is needed"},
		{[]string{"calendar", "due", "--calendar", "c.csv", "--working-days", "5"}, 1, "--from T is needed"},
		{[]string{"calendar", "due", "--calendar", "c.csv", "--from", "2026-02-13"}, 1, "--working-days N is needed"},
		{[]string{"calendar", "due", "--calendar", "c.csv", "--from", "2026-02-13", "--working-days", "five"}, 2, `invalid value "five"`},
		{[]string{"calendar", "due", "--calendar", "c.csv", "--from", "2026-02-13", "--working-days", "-1"}, 1, "a number from 0 to 10000, not -1"},
		{[]string{"calendar", "due", "--calendar", "c.csv", "--from", "2026-02-13", "--working-days", "10001"}, 1, "a number from 0 to 10000"},
		{[]string{"calendar", "due", "--calendar", "c.csv", "--from", "2026-02-30", "--working-days", "5"}, 1, "--from wants a day as YYYY-MM-DD"},
		{[]string{"calendar", "due", "--calendar", "/nonexistent.csv", "--from", "2026-02-13", "--working-days", "5"}, 1, "/nonexistent.csv"},
		{[]string{"calendar", "check"}, 1, "FILE is needed"},
		{[]string{"calendar", "check", "a", "b"}, 2, `unexpected "b"`},
		{[]string{"calendar", "check", "/nonexistent.csv"}, 1, "/nonexistent.csv"},
		{[]string{"calendar", "list"}, 1, "--data DIR is needed"},
		{[]string{"calendar", "list", "--data", "/nonexistent"}, 1, "/nonexistent"},
		{[]string{"role"}, 2, "say what to do: list, who, appoint, end, delegate or withdraw"},
		{[]string{"role", "who", "--data", "/nonexistent"}, 1, "--on DAY"},
		{[]string{"role", "who", "--on", "2026-11-20", "--account", "x", "--data", "d"}, 1, "--account does not belong here"},
		{[]string{"role", "appoint", "--post", "p", "--data", "/nonexistent"}, 1, "--account LOGIN"},
		{[]string{"role", "end", "--data", "/nonexistent"}, 1, "--id ID"},
		{[]string{"role", "delegate", "--id", "x", "--account", "y", "--data", "/nonexistent"}, 1, "--to DAY"},
		{[]string{"role", "withdraw", "--data", "/nonexistent"}, 1, "--id ID"},
		{[]string{"role", "list", "--data", "/nonexistent"}, 1, "/nonexistent holds no posts"},
		{[]string{"user"}, 2, "say what to do: list, add"},
		{[]string{"user", "list", "x", "--data", "d"}, 2, `unexpected "x"`},
		{[]string{"user", "list"}, 1, "--data DIR"},
		{[]string{"user", "link", "--data", "/nonexistent"}, 1, "LOGIN is needed"},
		{[]string{"user", "link", "admin", "--data", "/nonexistent"}, 1, "/nonexistent holds no accounts"},
		{[]string{"user", "add", "x", "--label", "y"}, 2, "-label"},
		{[]string{"token", "give"}, 2, "say what to do: list, make, key or revoke"},
		{[]string{"token", "revoke", "--data", "/nonexistent"}, 1, "ID is needed"},
		{[]string{"token", "make", "admin", "x"}, 2, `unexpected "x"`},
		{[]string{"relay"}, 2, "say what to do: list or test"},
		{[]string{"relay", "list", "x", "--data", "d"}, 2, `unexpected "x"`},
		{[]string{"relay", "list"}, 1, "--data DIR is needed"},
		{[]string{"relay", "test", "--data", "/nonexistent"}, 1, "NAME is needed"},
		{[]string{"relay", "test", "x", "--data", "/nonexistent"}, 1, "no server is running at /nonexistent"},
		{[]string{"notify"}, 2, "say what to do: test"},
		{[]string{"notify", "test", "--data", "/nonexistent"}, 1, "--to ACCOUNT is needed"},
		{[]string{"notify", "test", "--to", "admin"}, 1, "--data DIR is needed"},
		{[]string{"notify", "test", "admin", "--data", "d"}, 2, `unexpected "admin"`},
		{[]string{"notify", "test", "--to", "admin", "--data", "/nonexistent"}, 1, "/nonexistent holds no accounts"},
		{[]string{"demo", "--series", "/nonexistent"}, 1, "--series"},
		{[]string{"db"}, 2, "say what to do: status, migrate or copy"},
		{[]string{"db", "status"}, 1, "--data DIR is needed"},
		{[]string{"db", "status", "--data", "/nonexistent"}, 1, "there is no database"},
		{[]string{"db", "status", "--data", "/nonexistent", "--down"}, 1, "--down belongs to migrate"},
		{[]string{"db", "copy", "--data", "/nonexistent"}, 1, "--to URL is needed"},
		{[]string{"db", "migrate", "--data", "/nonexistent"}, 1, "no data folder of a server"},
	} {
		if code, out, errOut := call(c.args...); code != c.code || out != "" || !strings.Contains(errOut, c.want) {
			t.Errorf("%v: exit code %d, want %d with %q; got %q %q", c.args, code, c.code, c.want, out, errOut)
		}
	}
}
