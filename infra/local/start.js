/**
 * What `npm start` runs: plain JavaScript, so that a Node that cannot run TypeScript, or a folder in which nothing has
 * been installed yet, is told in words what is missing.
 */
function fail(message) {
  console.error(message);
  process.exit(1);
}

if (!process.features.typescript) {
  fail(
    `Fanwire runs on Node 24, which \`npm ci\` brings; this is Node ${process.versions.node}. ` +
      'Start it with: npm ci && npm start',
  );
}
try {
  await import('./main.ts');
} catch (error) {
  if (error?.code !== 'ERR_MODULE_NOT_FOUND') throw error;
  fail(`Something is not installed: ${error.message.split('\n')[0]}\nInstall it with: npm ci`);
}
