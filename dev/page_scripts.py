"""What dev/browser.py has the page do and tell, as the page's own JavaScript."""

IDLE = """async () => {
    const idle = () => new Promise(done => requestIdleCallback(done, { timeout: 60000 }));
    await idle();
    const loading = [...document.images].filter(image => !image.complete && image.loading !== 'lazy');
    await Promise.all(loading.map(image => image.decode().catch(() => 0)));
    await idle();
    const drawn = [...document.querySelectorAll('[data-node-id]')].map(e => [e.offsetWidth, e.offsetHeight]);
    return document.body.innerText + JSON.stringify([drawn, app.graph._nodes.map(node => Array.from(node.size))]);
}"""
DROP = """([text, name]) => {
    const files = new DataTransfer();
    files.items.add(new File([text], name, { type: 'application/json' }));
    const target = document.querySelector('#graph-canvas');
    for (const kind of ['dragenter', 'dragover', 'drop'])
        target.dispatchEvent(new DragEvent(kind, { dataTransfer: files, bubbles: true, cancelable: true }));
}"""
NODES = """() => app.graph._nodes.map(node => {
    const element = document.querySelector(`[data-node-id="${node.id}"]`);
    const { scale, offset } = app.canvas.ds;
    const canvas = app.canvas.canvas.getBoundingClientRect();
    let box = [node.pos[0], node.pos[1] - 30, node.size[0], node.size[1] + 30];
    if (LiteGraph.vueNodesMode && element) {
        const r = element.getBoundingClientRect();
        box = [(r.x - canvas.x) / scale - offset[0], (r.y - canvas.y) / scale - offset[1],
               r.width / scale, r.height / scale];
    }
    const known = !!LiteGraph.registered_node_types[node.type];
    return { id: node.id, title: node.title, type: node.type, known, box };
})"""
SHOW = """title => {
    const node = app.graph._nodes.find(node => node.title.startsWith(title)), r = app.canvas.canvas;
    app.canvas.ds.scale = 1;
    app.canvas.ds.offset = [r.clientWidth / 2 - node.pos[0] - node.size[0] / 2, 120 - node.pos[1]];
    app.canvas.setDirty(true, true);
}"""
TEXTS = """() => [document.body.innerText, ...[...document.querySelectorAll('textarea')]
    .filter(area => area.getBoundingClientRect().width > 0).map(area => area.value)].join('\\n')"""
SELECT_NEW = """kind => {
    app.graph.clear();
    const node = LiteGraph.createNode(kind);
    app.graph.add(node);
    app.canvas.deselectAll();
    app.canvas.selectNode(node);
}"""
HELP = """width => {
    const help = document.querySelector('.node-help-content');
    help.style.width = `${width}px`;
    const wide = Math.max(help.scrollWidth, ...[...help.querySelectorAll('*')].map(e => e.scrollWidth));
    const pictures = [...help.querySelectorAll('img')];
    return { text: help.innerText, wide, pictures: pictures.length,
             broken: pictures.filter(picture => !picture.naturalWidth).length };
}"""
SAY = """text => app.graph._nodes.filter(node => node.type.startsWith('FSM_')).forEach(
    node => app.api.dispatchCustomEvent('progress_text', { nodeId: String(node.id), text }))"""
FIT = """() => {
    const boxes = [...app.graph._nodes.map(n => [n.pos[0], n.pos[1] - 30, n.size[0], n.size[1] + 30]),
                   ...app.graph._groups.map(g => Array.from(g._bounding))];
    const x = Math.min(...boxes.map(b => b[0])), y = Math.min(...boxes.map(b => b[1]));
    const w = Math.max(...boxes.map(b => b[0] + b[2])) - x, h = Math.max(...boxes.map(b => b[1] + b[3])) - y;
    const c = app.canvas.canvas, r = c.getBoundingClientRect();
    const scale = Math.min((r.width - 120) / w, (r.height - 120) / h, 1);
    app.canvas.ds.scale = scale;
    app.canvas.ds.offset = [-x + 80 / scale, -y + 70 / scale];
    app.canvas.setDirty(true, true);
}"""
LISTEN = """() => {
    window.fsmEnd = undefined;
    window.fsmPreviews = [];
    const said = [];
    const sum = async blob => crypto.subtle.digest('SHA-1', await blob.arrayBuffer());
    const digest = async blob => [...new Uint8Array(await sum(blob))].join();
    const seen = async e => window.fsmPreviews.push(await digest(e.detail.blob ?? e.detail));
    for (const kind of ['b_preview', 'b_preview_with_metadata']) app.api.addEventListener(kind, seen);
    const end = () => { window.fsmEnd = said.join(' / '); };
    app.api.addEventListener('execution_success', end, { once: true });
    app.api.addEventListener('execution_error', e => { said.push(e.detail.exception_message); end(); }, { once: true });
    app.api.addEventListener('execution_interrupted', () => { said.push('interrupted'); end(); }, { once: true });
}"""
