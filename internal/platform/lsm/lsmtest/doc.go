// Package lsmtest fails accesses to the disk under the trees of the stores' tests.
package lsmtest
