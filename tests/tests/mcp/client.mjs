// A client by the protocol's own SDK. Usage: client.mjs ROOT CALLS COMMAND [ARGUMENT…]
// ROOT holds node_modules; CALLS is a JSON list of [method of the client, argument]. Prints what came
// of each, one JSON array a line.
const [root, calls, command, ...args] = process.argv.slice(2);
const sdk = `${root}/node_modules/@modelcontextprotocol/sdk/dist/esm`;
const { Client } = await import(`${sdk}/client/index.js`);
const { StdioClientTransport } = await import(`${sdk}/client/stdio.js`);
const types = await import(`${sdk}/types.js`);

const client = new Client({ name: 'test', version: '1' }, { capabilities: { sampling: {}, roots: {} } });
client.setRequestHandler(types.ListRootsRequestSchema, async () => ({ roots: [] }));
client.setRequestHandler(types.CreateMessageRequestSchema, async () => ({
    role: 'assistant', model: 'none', content: { type: 'text', text: 'sampled' },
}));
const transport = new StdioClientTransport({ command, args, env: process.env, stderr: 'inherit' });
await client.connect(transport);
for (const [method, argument, options] of JSON.parse(calls)) {
    let progress = 0;
    try {
        let result;
        const limits = { timeout: 30000 };
        if (options?.progress) limits.onprogress = () => { progress += 1; };
        if (options?.cancel) limits.signal = AbortSignal.timeout(options.cancel);
        if (method === 'callTool') result = await client.callTool(argument, undefined, limits);
        else result = await client[method](argument ?? undefined, limits);
        // The last of them may come with the result, and count or not.
        console.log(JSON.stringify([method, 'result', result, progress > 1]));
    } catch (error) {
        console.log(JSON.stringify([method, 'error', error.code ?? null, error.message]));
    }
}
await client.close();
