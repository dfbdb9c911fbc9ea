/* The shape of the file, page by page, before LMDB is let near it.
 *
 * LMDB trusts its pages: a damaged pointer makes it crash, a damaged separator hides keys, a
 * damaged free list makes it overwrite what is in use. This walk reads the file as bytes and proves
 * that every page has one owner and the right number and kind, that every node lies within its
 * page, that keys and separators are in order, and that the newer of the two meta pages is the one
 * that was written last. The layout is that of LMDB 0.9 on 64-bit little-endian machines.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store_internal.h"

#define PAGE         4096u
#define PAGE_HEADER  16u
#define NODE_HEADER  8u
#define DB_BYTES     48u
#define KEY_MAX      511u
#define DEPTH_MAX    32u
#define FLAG_BRANCH  0x01u
#define FLAG_LEAF    0x02u
#define FLAG_BIG     0x04u
#define FLAG_META    0x08u
#define NODE_BIGDATA 0x01u
#define NODE_SUBDATA 0x02u
#define DB_FREE      0x4008u /* MDB_INTEGERKEY, and MDB_NOSUBDIR of the environment */
#define MAGIC        0xBEEFC0DEu
#define NO_PAGE      UINT64_MAX

struct node {
    const uint8_t *key;
    uint32_t key_len;
    uint32_t flags;
    const uint8_t *data;
    uint64_t data_len; /* of a leaf */
    uint64_t child;    /* of a branch */
};

struct level {
    const uint8_t *page;
    uint32_t at;
    uint32_t count;
};

enum tree_kind { TREE_FREE, TREE_MAIN, TREE_SUB };

struct tree {
    enum tree_kind kind;
    uint32_t depth;
    uint64_t root;
    uint64_t branch_pages;
    uint64_t leaf_pages;
    uint64_t big_pages;
    uint64_t entries;
    const uint8_t *last_key; /* leaf key or separator passed last */
    uint32_t last_key_len;
    bool is_last_separator;
    bool has_last;
};

struct walk {
    const uint8_t *bytes;
    uint64_t pages; /* in the file */
    uint64_t last_page;
    uint64_t txnid;
    uint8_t *owned; /* one bit a page */
    struct tree subs[STORE_DB_COUNT];
    size_t sub_count;
    const char *what; /* that is wrong */
    uint64_t where;
};

static bool bad(struct walk *walk, const char *what, uint64_t where)
{
    walk->what = what;
    walk->where = where;
    return false;
}

static uint64_t u64(const uint8_t *bytes)
{
    return store_get_le(bytes, 8);
}

static uint32_t u16(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8;
}

static bool own(struct walk *walk, uint64_t first, uint64_t count)
{
    if (first < 2 || first > walk->last_page || count > walk->last_page - first + 1) {
        return bad(walk, "a page outside the file is referred to", first);
    }
    for (uint64_t page = first; page < first + count; page++) {
        uint8_t bit = (uint8_t)(1u << page % 8);
        if ((walk->owned[page / 8] & bit) != 0) {
            return bad(walk, "a page has two owners", page);
        }
        walk->owned[page / 8] |= bit;
    }
    return true;
}

static int key_compare(enum tree_kind kind, const uint8_t *a, uint32_t a_len, const uint8_t *b,
                       uint32_t b_len)
{
    if (kind == TREE_FREE) {
        uint64_t x = u64(a);
        uint64_t y = u64(b);
        return x < y ? -1 : x > y;
    }
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
    return order != 0 ? order : a_len < b_len ? -1 : a_len > b_len;
}

/* Each key behind the one before; a separator may equal the first key to its right. */
static bool key_pass(struct walk *walk, struct tree *tree, const struct node *node,
                     bool is_separator)
{
    if (tree->kind == TREE_FREE && node->key_len != 8) {
        return bad(walk, "a key of the free list is damaged", tree->root);
    }
    if (tree->has_last) {
        int order =
            key_compare(tree->kind, tree->last_key, tree->last_key_len, node->key, node->key_len);
        if (order > 0 || (order == 0 && !tree->is_last_separator)) {
            return bad(walk, "keys are out of order", tree->root);
        }
    }
    tree->last_key = node->key;
    tree->last_key_len = node->key_len;
    tree->is_last_separator = is_separator;
    tree->has_last = true;
    return true;
}

static bool node_read(struct walk *walk, const struct level *level, uint32_t index, bool is_leaf,
                      struct node *out_node)
{
    const uint8_t *page = level->page;
    uint32_t offset = u16(page + PAGE_HEADER + 2 * index);
    if (offset < u16(page + 14) || offset > PAGE - NODE_HEADER || offset % 2 != 0) {
        return bad(walk, "a node lies outside its page", u64(page));
    }
    const uint8_t *bytes = page + offset;
    struct node node = {.key = bytes + NODE_HEADER,
                        .key_len = u16(bytes + 6),
                        .flags = u16(bytes + 4),
                        .data_len = store_get_le(bytes, 4),
                        .child = store_get_le(bytes, 6)};
    uint64_t data_here = !is_leaf ? 0 : (node.flags & NODE_BIGDATA) != 0 ? 8 : node.data_len;
    if (node.key_len > KEY_MAX || data_here > PAGE ||
        offset + NODE_HEADER + node.key_len + data_here > PAGE) {
        return bad(walk, "a node is longer than its page", u64(page));
    }
    node.data = node.key + node.key_len;
    *out_node = node;
    return true;
}

static bool level_enter(struct walk *walk, struct tree *tree, uint64_t number, bool is_leaf,
                        struct level *out_level)
{
    if (!own(walk, number, 1)) {
        return false;
    }
    const uint8_t *page = walk->bytes + number * PAGE;
    uint32_t lower = u16(page + 12);
    uint32_t upper = u16(page + 14);
    if (u64(page) != number || u16(page + 10) != (is_leaf ? FLAG_LEAF : FLAG_BRANCH)) {
        return bad(walk, "a page is not what it should be", number);
    }
    if (lower < PAGE_HEADER + 2 || lower % 2 != 0 || lower > upper || upper > PAGE) {
        return bad(walk, "a page's bounds are damaged", number);
    }
    *(is_leaf ? &tree->leaf_pages : &tree->branch_pages) -= 1;
    *out_level = (struct level){page, 0, (lower - PAGE_HEADER) / 2};
    if (!is_leaf && out_level->count < 2) {
        return bad(walk, "a branch has no two children", number);
    }
    return true;
}

static bool big_data(struct walk *walk, struct tree *tree, const struct node *node,
                     const uint8_t **out_data)
{
    uint64_t first = u64(node->data);
    uint64_t count = (node->data_len + PAGE_HEADER - 1) / PAGE + 1;
    if (!own(walk, first, count)) {
        return false;
    }
    const uint8_t *page = walk->bytes + first * PAGE;
    if (u64(page) != first || u16(page + 10) != FLAG_BIG || store_get_le(page + 12, 4) != count) {
        return bad(walk, "a page is not what it should be", first);
    }
    tree->big_pages -= count;
    *out_data = page + PAGE_HEADER;
    return true;
}

/* The pages that were free after transaction key: a count, then that many page numbers. */
static bool free_list(struct walk *walk, struct tree *tree, const struct node *node)
{
    const uint8_t *data = node->data;
    if ((node->flags & NODE_BIGDATA) != 0 && !big_data(walk, tree, node, &data)) {
        return false;
    }
    if ((node->flags & ~NODE_BIGDATA) != 0 || node->data_len < 8 ||
        u64(data) > node->data_len / 8 - 1 || u64(node->key) > walk->txnid) {
        return bad(walk, "the free list is damaged", tree->root);
    }
    for (uint64_t i = 1; i <= u64(data); i++) {
        if (!own(walk, u64(data + 8 * i), 1)) {
            return false;
        }
    }
    return true;
}

static bool tree_read(struct walk *walk, const uint8_t *bytes, enum tree_kind kind,
                      struct tree *out_tree)
{
    uint32_t pad = kind == TREE_FREE ? PAGE : 0;
    uint32_t flags = kind == TREE_FREE ? DB_FREE : 0;
    *out_tree = (struct tree){.kind = kind,
                              .depth = u16(bytes + 6),
                              .branch_pages = u64(bytes + 8),
                              .leaf_pages = u64(bytes + 16),
                              .big_pages = u64(bytes + 24),
                              .entries = u64(bytes + 32),
                              .root = u64(bytes + 40)};
    if (store_get_le(bytes, 4) != pad || u16(bytes + 4) != flags || out_tree->depth > DEPTH_MAX ||
        (out_tree->depth == 0) != (out_tree->root == NO_PAGE)) {
        return bad(walk, "the description of a tree is damaged", out_tree->root);
    }
    return true;
}

static bool leaf_node(struct walk *walk, struct tree *tree, const struct node *node)
{
    tree->entries--;
    switch (tree->kind) {
    case TREE_FREE: return free_list(walk, tree, node);
    case TREE_MAIN:
        if (node->flags != NODE_SUBDATA || node->data_len != DB_BYTES ||
            walk->sub_count == STORE_DB_COUNT) {
            return bad(walk, "the list of trees is damaged", tree->root);
        }
        return tree_read(walk, node->data, TREE_SUB, &walk->subs[walk->sub_count++]);
    case TREE_SUB: return node->flags == 0 || bad(walk, "a node is damaged", tree->root);
    }
    return false;
}

static bool leaf_page(struct walk *walk, struct tree *tree, const struct level *level)
{
    for (uint32_t i = 0; i < level->count; i++) {
        struct node node;
        if (!node_read(walk, level, i, true, &node) || !key_pass(walk, tree, &node, false) ||
            !leaf_node(walk, tree, &node)) {
            return false;
        }
    }
    return true;
}

/* Goes on in the branch at the top of the path: the number of the next child, or NO_PAGE. */
static bool branch_next(struct walk *walk, struct tree *tree, struct level *level,
                        uint64_t *out_child)
{
    struct node node;
    *out_child = NO_PAGE;
    if (level->at == level->count) {
        return true;
    }
    if (!node_read(walk, level, level->at, false, &node)) {
        return false;
    }
    /* The first child's separator is not looked at by anyone. */
    if (level->at > 0 && !key_pass(walk, tree, &node, true)) {
        return false;
    }
    level->at++;
    *out_child = node.child;
    return true;
}

static bool tree_walk(struct walk *walk, struct tree *tree)
{
    struct level path[DEPTH_MAX + 1];
    uint32_t depth = 0;
    uint64_t child = tree->root;
    while (child != NO_PAGE || depth > 0) {
        if (child == NO_PAGE) {
            depth--;
        } else {
            bool is_leaf = depth + 1 == tree->depth;
            if (!level_enter(walk, tree, child, is_leaf, &path[depth])) {
                return false;
            }
            if (!is_leaf) {
                depth++;
            } else if (!leaf_page(walk, tree, &path[depth])) {
                return false;
            }
        }
        child = NO_PAGE;
        if (depth > 0 && !branch_next(walk, tree, &path[depth - 1], &child)) {
            return false;
        }
    }
    return (tree->branch_pages | tree->leaf_pages | tree->big_pages | tree->entries) == 0 ||
           bad(walk, "a tree has not the size it should have", tree->root);
}

/* The data of a key in a tree of one leaf, which is what the list of trees and the meta tree are.
 */
static bool small_find(struct walk *walk, const uint8_t *db, const char *name, uint32_t data_len,
                       const uint8_t **out_data)
{
    uint64_t root = u64(db + 40);
    if (root < 2 || root >= walk->pages) {
        return false;
    }
    const uint8_t *page = walk->bytes + root * PAGE;
    uint32_t lower = u16(page + 12);
    if (u16(page + 10) != FLAG_LEAF || lower < PAGE_HEADER || lower > PAGE) {
        return false;
    }
    const struct level level = {page, 0, (lower - PAGE_HEADER) / 2};
    for (uint32_t i = 0; i < level.count; i++) {
        struct node node;
        if (!node_read(walk, &level, i, true, &node)) {
            return false;
        }
        if (node.key_len == strlen(name) && memcmp(node.key, name, node.key_len) == 0) {
            *out_data = node.data;
            return node.data_len == data_len;
        }
    }
    return false;
}

/* Each transaction writes its number into the state record. LMDB leaves the pages of the last two
 * transactions alone, so both meta pages can be asked: one that claims another number than its
 * state has is damaged, and might have made way for the older one. */
static bool meta_agrees(struct walk *walk, const uint8_t *meta)
{
    const uint8_t *db;
    const uint8_t *state;
    uint64_t txnid = u64(meta + 144);
    if (txnid == 0) {
        return u64(meta + 88 + 40) == NO_PAGE;
    }
    if (!small_find(walk, meta + 88, store_db_names[STORE_DB_META], DB_BYTES, &db)) {
        return false;
    }
    if (u64(db + 40) == NO_PAGE) {
        return true; /* before the first state; store_state_read minds that */
    }
    if (!small_find(walk, db, "state", STORE_STATE_BYTES + STORE_SUM_BYTES, &state)) {
        return false;
    }
    return u64(state + STORE_STATE_BYTES - 8) == txnid;
}

/* Which of the two meta pages counts. They are written in turn, so their transaction numbers follow
 * each other; damage to either number breaks that. */
static const uint8_t *meta_choose(struct walk *walk)
{
    uint64_t txnids[2];
    for (uint64_t i = 0; i < 2; i++) {
        const uint8_t *page = walk->bytes + i * PAGE;
        txnids[i] = u64(page + 144);
        if (u64(page) != i || (u16(page + 10) & FLAG_META) == 0 ||
            store_get_le(page + 16, 4) != MAGIC || store_get_le(page + 20, 4) != 1 ||
            (txnids[i] > 0 && txnids[i] % 2 != i) || store_get_le(page + 40, 4) != PAGE ||
            u16(page + 44) != DB_FREE) {
            bad(walk, "a meta page is damaged", i);
            return NULL;
        }
    }
    if (txnids[0] + 1 != txnids[1] && txnids[1] + 1 != txnids[0]) {
        bad(walk, "the meta pages do not follow each other", 0);
        return NULL;
    }
    if (!meta_agrees(walk, walk->bytes) || !meta_agrees(walk, walk->bytes + PAGE)) {
        bad(walk, "a meta page does not agree with its state", 0);
        return NULL;
    }
    return walk->bytes + (txnids[1] > txnids[0] ? PAGE : 0);
}

static bool walk_file(struct walk *walk)
{
    const uint8_t *meta = meta_choose(walk);
    struct tree main_tree;
    struct tree free_tree;
    if (meta == NULL) {
        return false;
    }
    walk->last_page = u64(meta + 136);
    walk->txnid = u64(meta + 144);
    if (walk->last_page < 2 || walk->last_page >= walk->pages) {
        return bad(walk, "the file is cut short", walk->last_page);
    }
    walk->owned = calloc(walk->last_page / 8 + 1, 1);
    if (walk->owned == NULL) {
        return false;
    }
    if (!tree_read(walk, meta + 40, TREE_FREE, &free_tree) ||
        !tree_read(walk, meta + 88, TREE_MAIN, &main_tree) || !tree_walk(walk, &main_tree)) {
        return false;
    }
    for (size_t i = 0; i < walk->sub_count; i++) {
        if (!tree_walk(walk, &walk->subs[i])) {
            return false;
        }
    }
    return tree_walk(walk, &free_tree);
}

enum imprint_error store_tree_check(const char *path, char out_finding[STORE_FINDING_BYTES])
{
    enum imprint_error error = IMPRINT_E_IO;
    struct walk walk = {0};
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0) {
        goto done;
    }
    walk.pages = (uint64_t)status.st_size / PAGE;
    if (walk.pages < 2) {
        int ignored = snprintf(out_finding, STORE_FINDING_BYTES, "the file is cut short");
        (void)ignored;
        error = IMPRINT_E_STORE_DAMAGED;
        goto done;
    }
    /* In the order of the disk, ahead of the walk, which jumps. */
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED);
    void *map = mmap(NULL, walk.pages * PAGE, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        error = IMPRINT_E_NOMEM;
        goto done;
    }
    walk.bytes = map;
    error = walk_file(&walk) ? IMPRINT_OK : IMPRINT_E_STORE_DAMAGED;
    if (error != IMPRINT_OK && walk.what == NULL) {
        error = IMPRINT_E_NOMEM;
    } else if (error != IMPRINT_OK) {
        int ignored = snprintf(out_finding, STORE_FINDING_BYTES, "%s (page %llu)", walk.what,
                               (unsigned long long)walk.where);
        (void)ignored;
    }
    munmap(map, walk.pages * PAGE);
done:
    free(walk.owned);
    if (fd >= 0) {
        close(fd);
    }
    return error;
}
