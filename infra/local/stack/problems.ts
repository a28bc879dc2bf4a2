/** One thing in a template that cannot run here. */
export interface Problem {
  /** Of the resource, or `Outputs.X`. */
  readonly logicalId: string;
  readonly type?: string;
  /** Where the resource stands in the CDK app. */
  readonly path?: string | undefined;
  /** As in the template, with dots for what is inside; absent if the problem is the whole resource. */
  readonly property?: string;
  readonly message: string;
  readonly hint?: string | undefined;
}

/** Everything that keeps a template from running here, said at once. */
export class TemplateError extends Error {
  readonly problems: readonly Problem[];

  constructor(stackName: string, problems: readonly Problem[]) {
    super(explain(stackName, problems));
    this.name = 'TemplateError';
    this.problems = problems;
  }
}

function explain(stackName: string, problems: readonly Problem[]): string {
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  const groups = Map.groupBy(problems, ({ logicalId }) => logicalId);
  const resources = [...groups.values()].map((group) => [title(group), ...group.map(line)].join('\n'));
  return [`Stack ${stackName} cannot run locally: ${count}.`, ...resources].join('\n\n');
}

function title([problem]: readonly Problem[]): string {
  if (!problem) return '';
  const { logicalId, type, path } = problem;
  const details = [type, path && `in the CDK app ${path}`].filter(Boolean).join(', ');
  return details ? `${logicalId} (${details})` : logicalId;
}

function line({ property, message, hint }: Problem): string {
  const text = `  - ${property ? `${property}: ` : ''}${message}`;
  return hint ? `${text}\n    ${hint}` : text;
}
