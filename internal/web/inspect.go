package web

import (
	"fmt"
	"slices"
	"text/template"
	"text/template/parse"
)

// found is what stands in templates: literal catalogue keys, the templates they
// declare and those they call.
type found struct {
	keys, calls []string
	declares    map[string]bool
}

func newFound() *found { return &found{declares: map[string]bool{}} }

// add reads a template. It is read as plain text: html/template would look at the
// same trees, and at the places of values in HTML when the page is first drawn.
func (f *found) add(name, text string, funcs template.FuncMap) error {
	set, err := template.New(name).Funcs(funcs).Parse(text)
	if err != nil {
		return fmt.Errorf("template %s: %w", name, err)
	}
	for _, t := range set.Templates() {
		if t.Tree == nil || t.Root == nil {
			continue
		}
		f.declares[t.Name()] = true
		walk(t.Root, func(n parse.Node) {
			switch n := n.(type) {
			case *parse.TemplateNode:
				f.calls = append(f.calls, n.Name)
			case *parse.CommandNode:
				if key, ok := literalKey(n); ok {
					f.keys = append(f.keys, key)
				}
			}
		})
	}
	return nil
}

// undeclared returns the templates that are called in some and declared in none.
// html/template itself would find them only when the line is drawn.
func undeclared(all ...*found) (out []string) {
	for _, f := range all {
		for _, c := range f.calls {
			if !slices.ContainsFunc(all, func(g *found) bool { return g.declares[c] }) {
				out = append(out, c)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func literalKey(n *parse.CommandNode) (string, bool) {
	if len(n.Args) < 2 {
		return "", false
	}
	name, ok := n.Args[0].(*parse.IdentifierNode)
	if !ok || name.Ident != "t" {
		return "", false
	}
	key, ok := n.Args[1].(*parse.StringNode)
	if !ok {
		return "", false
	}
	return key.Text, true
}

// walk calls f on every node below n. The node types without children of
// interest fall through.
func walk(n parse.Node, f func(parse.Node)) {
	f(n)
	branch := func(b *parse.BranchNode) {
		walk(b.Pipe, f)
		walk(b.List, f)
		if b.ElseList != nil {
			walk(b.ElseList, f)
		}
	}
	switch n := n.(type) {
	case *parse.ListNode:
		for _, c := range n.Nodes {
			walk(c, f)
		}
	case *parse.ActionNode:
		walk(n.Pipe, f)
	case *parse.PipeNode:
		for _, c := range n.Cmds {
			walk(c, f)
		}
	case *parse.CommandNode:
		for _, a := range n.Args {
			if p, ok := a.(*parse.PipeNode); ok {
				walk(p, f)
			}
		}
	case *parse.TemplateNode:
		if n.Pipe != nil {
			walk(n.Pipe, f)
		}
	case *parse.IfNode:
		branch(&n.BranchNode)
	case *parse.RangeNode:
		branch(&n.BranchNode)
	case *parse.WithNode:
		branch(&n.BranchNode)
	}
}
