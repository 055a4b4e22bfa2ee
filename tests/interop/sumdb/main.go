// Checks a ledger with Go's own golang.org/x/mod/sumdb: note, tlog and tiles.
// Input (stdin): {vkey, old, new, consistency: [base64], proofs: [text], base}. Output: one JSON line.
// `base` is the address under which checkpoint and tiles are served; tiles are read over HTTP.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type input struct {
	Vkey        string   `json:"vkey"`
	Old         string   `json:"old"`
	New         string   `json:"new"`
	Consistency []string `json:"consistency"`
	Proofs      []string `json:"proofs"`
	Base        string   `json:"base"`
}

func must(err error, what string) {
	if err != nil {
		fmt.Fprintln(os.Stderr, what+": "+err.Error())
		os.Exit(1)
	}
}

func hash(text string) tlog.Hash {
	raw, err := base64.StdEncoding.DecodeString(text)
	must(err, "hash")
	var h tlog.Hash
	if copy(h[:], raw) != 32 || len(raw) != 32 {
		must(fmt.Errorf("%d bytes", len(raw)), "hash")
	}
	return h
}

func open(text string, verifiers note.Verifiers) tlog.Tree {
	opened, err := note.Open([]byte(text), verifiers)
	must(err, "note")
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != opened.Sigs[0].Name {
		must(fmt.Errorf("form"), "checkpoint")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	must(err, "size")
	return tlog.Tree{N: size, Hash: hash(lines[2])}
}

// proof checks one tlog-proof: the leaf is rebuilt from the record it carries.
func proof(text string, verifiers note.Verifiers) (int64, string) {
	head, checkpoint, found := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	if !found || lines[0] != "c2sp.org/tlog-proof@v1" {
		must(fmt.Errorf("form"), "proof")
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[1], "extra "))
	must(err, "extra")
	var extra struct {
		Nonce  string          `json:"nonce"`
		Record json.RawMessage `json:"record"`
		Type   string          `json:"type"`
	}
	must(json.Unmarshal(raw, &extra), "extra")
	nonce, err := base64.RawURLEncoding.DecodeString(extra.Nonce)
	must(err, "nonce")
	commit := sha256.Sum256(append(nonce, extra.Record...))
	body := fmt.Sprintf(`{"commit":"%s","type":"%s"}`, hex.EncodeToString(commit[:]), extra.Type)
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[2], "index "), 10, 64)
	must(err, "index")
	var path tlog.RecordProof
	for _, line := range lines[3:] {
		path = append(path, hash(line))
	}
	tree := open(checkpoint, verifiers)
	must(tlog.CheckRecord(path, tree.N, tree.Hash, index, tlog.RecordHash([]byte(body))), "inclusion")
	return index, body
}

// tiles reads C2SP tiles, whose paths leave out the height that Go's have.
type tiles struct {
	base string
	read int
}

func (t *tiles) Height() int                         { return 8 }
func (t *tiles) SaveTiles(_ []tlog.Tile, _ [][]byte) {}
func (t *tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range wanted {
		data, err := get(t.base + "/tile/" + strings.TrimPrefix(tile.Path(), "tile/8/"))
		if err != nil {
			return nil, err
		}
		t.read++
		all = append(all, data)
	}
	return all, nil
}

func get(url string) ([]byte, error) {
	answer, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != 200 {
		return nil, fmt.Errorf("%s: %d", url, answer.StatusCode)
	}
	return io.ReadAll(answer.Body)
}

// entries reads all leaf bodies and gives their record hashes.
func entries(base string, size int64) []tlog.Hash {
	var leaves []tlog.Hash
	for first := int64(0); first < size; first += 256 {
		tile := tlog.Tile{H: 8, L: 0, N: first / 256, W: 256}
		if size-first < 256 {
			tile.W = int(size - first)
		}
		data, err := get(base + "/tile/entries/" + strings.TrimPrefix(tile.Path(), "tile/8/0/"))
		must(err, "entries")
		for len(data) > 0 {
			length := int(binary.BigEndian.Uint16(data))
			leaves = append(leaves, tlog.RecordHash(data[2:2+length]))
			data = data[2+length:]
		}
	}
	return leaves
}

func main() {
	var in input
	must(json.NewDecoder(os.Stdin).Decode(&in), "input")
	verifier, err := note.NewVerifier(strings.TrimSpace(in.Vkey))
	must(err, "vkey")
	verifiers := note.VerifierList(verifier)
	older, newer := open(in.Old, verifiers), open(in.New, verifiers)

	var path tlog.TreeProof
	for _, line := range in.Consistency {
		path = append(path, hash(line))
	}
	must(tlog.CheckTree(path, newer.N, newer.Hash, older.N, older.Hash), "consistency")

	source := &tiles{base: in.Base}
	reader := tlog.TileHashReader(newer, source)
	root, err := tlog.TreeHash(newer.N, reader)
	must(err, "tiles")
	if root != newer.Hash {
		must(fmt.Errorf("another root"), "tiles")
	}
	own, err := tlog.ProveTree(newer.N, older.N, reader)
	must(err, "prove")
	must(tlog.CheckTree(own, newer.N, newer.Hash, older.N, older.Hash), "consistency from tiles")

	leaves := entries(in.Base, newer.N)
	if int64(len(leaves)) != newer.N {
		must(fmt.Errorf("%d", len(leaves)), "number of entries")
	}
	for at, leaf := range leaves {
		stored, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(0, int64(at))})
		must(err, "leaf")
		if !bytes.Equal(stored[0][:], leaf[:]) {
			must(fmt.Errorf("%d", at), "entry")
		}
	}
	positions := []int64{}
	for _, text := range in.Proofs {
		index, body := proof(text, verifiers)
		if leaves[index] != tlog.RecordHash([]byte(body)) {
			must(fmt.Errorf("%d", index), "published leaf")
		}
		positions = append(positions, index)
	}
	out := map[string]interface{}{"old": older.N, "new": newer.N, "positions": positions, "tiles": source.read}
	must(json.NewEncoder(os.Stdout).Encode(out), "output")
}
