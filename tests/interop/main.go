// Reads a log in the form of C2SP tlog-tiles with the packages that the Go
// checksum database uses, and believes only what its key signs.
//
//	interop -vkey KEY [-token TOKEN] [-old CHECKPOINT] [-size N] URL-or-DIRECTORY
//
// It checks the checkpoint's signature, every tile, every entry bundle (with a
// token, or in a directory), inclusion proofs of entries, and the consistency
// with an older checkpoint. It prints "ok SIZE ENTRIES".
package main

import (
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

type source struct {
	base, token string
}

func (s *source) read(path string) ([]byte, error) {
	if !strings.HasPrefix(s.base, "http") {
		return os.ReadFile(filepath.Join(s.base, path))
	}
	request, err := http.NewRequest("GET", s.base+"/"+path, nil)
	if err != nil {
		return nil, err
	}
	if s.token != "" && strings.HasPrefix(path, "tile/entries/") {
		request.Header.Set("Authorization", "Bearer "+s.token)
	}
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err == nil && reply.StatusCode != 200 {
		err = fmt.Errorf("%s: %s: %s", path, reply.Status, body)
	}
	return body, err
}

// tlog-tiles leaves the height out of the path, and calls data entries.
func pathOf(t tlog.Tile) string {
	path := strings.TrimPrefix(t.Path(), fmt.Sprintf("tile/%d/", height))
	return "tile/" + strings.Replace(path, "data/", "entries/", 1)
}

// The methods of tlog.TileReader.
func (s *source) Height() int { return height }

func (s *source) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for i, t := range tiles {
		bytes, err := s.read(pathOf(t))
		if err == nil && len(bytes) != t.W*tlog.HashSize {
			err = fmt.Errorf("%s has %d bytes", pathOf(t), len(bytes))
		}
		if err != nil {
			return nil, err
		}
		data[i] = bytes
	}
	return data, nil
}

func (s *source) SaveTiles([]tlog.Tile, [][]byte) {}

func open(text []byte, verifier note.Verifier) (tree tlog.Tree, err error) {
	signed, err := note.Open(text, note.VerifierList(verifier))
	if err != nil {
		return tree, err
	}
	lines := strings.Split(signed.Text, "\n")
	if len(lines) < 3 || lines[0] != verifier.Name() {
		return tree, fmt.Errorf("a checkpoint of another log: %q", signed.Text)
	}
	if _, err = fmt.Sscanf(lines[1], "%d", &tree.N); err != nil {
		return tree, err
	}
	tree.Hash, err = tlog.ParseHash(lines[2])
	return tree, err
}

// Every entry of the bundles hashes to its leaf, and is proved to be in the tree.
func entries(s *source, tree tlog.Tree, hashes tlog.HashReader) (int64, error) {
	var count int64
	for index := int64(0); index < tree.N; index += 1 << height {
		width := min(tree.N-index, 1<<height)
		tile := tlog.Tile{H: height, L: -1, N: index >> height, W: int(width)}
		data, err := s.read(pathOf(tile))
		if err != nil {
			return count, err
		}
		stored := make([]int64, width)
		for i := range stored {
			stored[i] = tlog.StoredHashIndex(0, index+int64(i))
		}
		leaves, err := hashes.ReadHashes(stored)
		if err != nil {
			return count, err
		}
		for i := int64(0); i < width; i++ {
			if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
				return count, fmt.Errorf("%s is cut", pathOf(tile))
			}
			size := int(binary.BigEndian.Uint16(data))
			leaf := tlog.RecordHash(data[2 : 2+size])
			data = data[2+size:]
			if leaf != leaves[i] {
				return count, fmt.Errorf("entry %d is not that of the tree", index+i)
			}
			if i == 0 || i == width-1 {
				proof, err := tlog.ProveRecord(tree.N, index+i, hashes)
				if err == nil {
					err = tlog.CheckRecord(proof, tree.N, tree.Hash, index+i, leaf)
				}
				if err != nil {
					return count, fmt.Errorf("entry %d: %w", index+i, err)
				}
			}
			count++
		}
		if len(data) != 0 {
			return count, fmt.Errorf("%s is too long", pathOf(tile))
		}
	}
	return count, nil
}

func run() error {
	vkey := flag.String("vkey", "", "the log's key")
	token := flag.String("token", "", "an auditor's token")
	old := flag.String("old", "", "a file with an older checkpoint")
	size := flag.Int64("size", 0, "the size that the log must have at least")
	flag.Parse()
	s := &source{base: strings.TrimSuffix(flag.Arg(0), "/"), token: *token}
	verifier, err := note.NewVerifier(*vkey)
	if err != nil {
		return err
	}
	text, err := s.read("checkpoint")
	if err != nil {
		return err
	}
	tree, err := open(text, verifier)
	if err != nil {
		return err
	}
	if tree.N < *size {
		return fmt.Errorf("the log has %d entries, expected %d", tree.N, *size)
	}
	// It verifies each tile against the signed root.
	hashes := tlog.TileHashReader(tree, s)
	if *old != "" {
		text, err := os.ReadFile(*old)
		if err != nil {
			return err
		}
		before, err := open(text, verifier)
		if err != nil {
			return err
		}
		proof, err := tlog.ProveTree(tree.N, before.N, hashes)
		if err == nil {
			err = tlog.CheckTree(proof, tree.N, tree.Hash, before.N, before.Hash)
		}
		if err != nil {
			return fmt.Errorf("the log does not contain the older one: %w", err)
		}
	}
	count := int64(0)
	if *token != "" || !strings.HasPrefix(s.base, "http") {
		if count, err = entries(s, tree, hashes); err != nil {
			return err
		}
	}
	fmt.Println("ok", tree.N, count)
	return nil
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
