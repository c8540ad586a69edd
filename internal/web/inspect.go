package web

import (
	"html/template"
	"slices"
	"text/template/parse"
)

// inspect walks the parse trees of a set and returns the literal catalogue keys
// it uses and the templates it calls that are nowhere declared. html/template
// itself would find the latter only when the line is drawn.
func inspect(set *template.Template) (keys, undeclared []string) {
	for _, t := range set.Templates() {
		if t.Tree == nil || t.Tree.Root == nil {
			continue
		}
		walk(t.Tree.Root, func(n parse.Node) {
			switch n := n.(type) {
			case *parse.TemplateNode:
				if target := set.Lookup(n.Name); target == nil || target.Tree == nil {
					undeclared = append(undeclared, n.Name)
				}
			case *parse.CommandNode:
				if key, ok := literalKey(n); ok {
					keys = append(keys, key)
				}
			}
		})
	}
	slices.Sort(undeclared)
	return keys, slices.Compact(undeclared)
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
