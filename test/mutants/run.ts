import { spawnSync } from 'node:child_process';
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MUTANTS, type Mutant } from './mutants.ts';

/**
 * Turns one rule of the local cloud off at a time, in a copy of the project, and runs the conformance case that
 * guards it: a case that still passes guards nothing. `npm run test:mutants [-- CASE-ID …]`.
 */
const ROOT = join(import.meta.dirname, '../..');
const COPIED = ['infra', 'services', 'shared', 'test', 'package.json', 'tsconfig.json', 'vitest.config.ts'];
const CASE_SECONDS_MAX = 120;

interface Verdict {
  readonly rule: string;
  readonly case: string;
  readonly verdict: 'caught' | 'SURVIVED';
}

function copyProject(): string {
  const copy = mkdtempSync(join(tmpdir(), 'fanwire-mutants-'));
  const isOwn = (path: string) => !path.includes('node_modules');
  for (const name of COPIED) cpSync(join(ROOT, name), join(copy, name), { recursive: true, filter: isOwn });
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'), 'junction');
  return copy;
}

/** Whether the case passes in the copy as it is now. */
function passes(copy: string, caseId: string): boolean {
  const files = globSync('test/conformance/**/*.test.ts', { cwd: copy });
  const file = files.find((each) => readFileSync(join(copy, each), 'utf8').includes(`'${caseId} `));
  if (!file) throw new Error(`expected a conformance case ${caseId}, got none`);
  const report = join(copy, 'test-results/vitest.json'); // where vitest.config.ts has it
  rmSync(report, { force: true });
  const { status } = spawnSync(
    process.execPath,
    ['node_modules/vitest/vitest.mjs', 'run', file, '-t', `${caseId} `],
    { cwd: copy, stdio: 'ignore', timeout: CASE_SECONDS_MAX * 1000 },
  );
  // A case that did not run must not look like one that passed.
  return status === 0 && JSON.parse(readFileSync(report, 'utf8')).numPassedTests >= 1;
}

/** With the rule turned off. */
function judge(copy: string, { rule, file, find, replace, caughtBy }: Mutant): Verdict {
  const path = join(copy, file);
  const source = readFileSync(path, 'utf8');
  const places = source.split(find).length - 1;
  if (places !== 1)
    throw new Error(`${rule}: expected ${file} to have the text to change once, got ${places} times`);
  writeFileSync(
    path,
    source.replace(find, () => replace),
  );
  try {
    return { rule, case: caughtBy, verdict: passes(copy, caughtBy) ? 'SURVIVED' : 'caught' };
  } finally {
    writeFileSync(path, source);
  }
}

const wanted = process.argv.slice(2);
const mutants = MUTANTS.filter(({ caughtBy }) => wanted.length === 0 || wanted.includes(caughtBy));
const copy = copyProject();
try {
  for (const caseId of new Set(mutants.map(({ caughtBy }) => caughtBy))) {
    if (!passes(copy, caseId))
      throw new Error(`expected ${caseId} to pass while every rule is on, got a failure`);
  }
  const verdicts = mutants.map((mutant) => {
    const verdict = judge(copy, mutant);
    console.log(`${verdict.verdict.padEnd(9)} ${verdict.case.padEnd(14)} without ${verdict.rule}`);
    return verdict;
  });
  const survivors = verdicts.filter(({ verdict }) => verdict === 'SURVIVED').length;
  console.log(`\n${verdicts.length - survivors} of ${verdicts.length} rules are guarded`);
  process.exitCode = survivors === 0 ? 0 : 1;
} finally {
  rmSync(copy, { recursive: true, force: true });
}
