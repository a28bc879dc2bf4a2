import { expect, it } from 'vitest';
import type { Invoke } from '../../../infra/local/lambda/invoke.ts';
import { scheduleSettings } from '../../../infra/local/scheduler/resources.ts';
import { allow, iamOf, type Properties, role, roleWith, stackOf, trusting, worker } from './stack.ts';

const invoke: Invoke = async () => ({ ok: true, payload: 'invoked' });
const arnOf = (id: string) => ({ 'Fn::GetAtt': [id, 'Arn'] });

/** What becomes of the one schedule's run. */
async function run(Resources: Properties): Promise<unknown> {
  const stack = stackOf(Resources);
  const [schedule] = scheduleSettings(stack);
  if (!schedule) throw new Error('expected a schedule');
  return iamOf(stack).callers.ofSchedule(schedule, invoke)(schedule.target.arn, {});
}

const DENIED = {
  ok: false,
  reason: 'denied',
  errorType: 'AccessDeniedException',
  errorMessage: expect.stringContaining('is not authorized to perform: lambda:InvokeFunction on resource: '),
};

it('a schedule acts in the role of its target', async () => {
  const scheduler = { AssumeRolePolicyDocument: trusting('scheduler.amazonaws.com') };
  const resources = (actions: unknown) => ({
    Role: role(),
    Worker: worker,
    Invoker: roleWith(allow(actions), scheduler),
    Schedule: {
      Type: 'AWS::Scheduler::Schedule',
      Properties: {
        ScheduleExpression: 'rate(1 minute)',
        FlexibleTimeWindow: { Mode: 'OFF' },
        Target: { Arn: arnOf('Worker'), RoleArn: arnOf('Invoker') },
      },
    },
  });
  expect(await run(resources('lambda:InvokeFunction'))).toEqual({ ok: true, payload: 'invoked' });
  expect(await run(resources('lambda:GetFunction'))).toEqual(DENIED);
});

it('a rule with a schedule needs the function’s permission, for itself', async () => {
  const resources = (SourceArn: unknown) => ({
    Role: role(),
    Worker: worker,
    Rule: {
      Type: 'AWS::Events::Rule',
      Properties: {
        ScheduleExpression: 'rate(1 minute)',
        Targets: [{ Id: 'Target', Arn: arnOf('Worker') }],
      },
    },
    Permission: {
      Type: 'AWS::Lambda::Permission',
      Properties: {
        Action: 'lambda:InvokeFunction',
        FunctionName: { Ref: 'Worker' },
        Principal: 'events.amazonaws.com',
        SourceAccount: '000000000000',
        SourceArn,
      },
    },
  });
  expect(await run(resources(arnOf('Rule')))).toEqual({ ok: true, payload: 'invoked' });
  expect(await run(resources('arn:aws:events:us-east-1:000000000000:rule/another'))).toEqual(DENIED);
});

it.each([
  ['POST /pets/{id}', 'POST', '/$default/POST/pets/{id}'],
  ['POST /pets/{id}', 'POST', '/*/*/pets/{id}'],
  ['ANY /pets', 'PUT', '/$default/PUT/pets'],
  ['$default', 'GET', '/*/$default'],
])('a route %s of an HTTP API, asked with %s, needs the permission of %s', async (routeKey, method, path) => {
  const ask = (SourceArn: string) => {
    const stack = stackOf({
      Role: role(),
      Worker: worker,
      Permission: {
        Type: 'AWS::Lambda::Permission',
        Properties: {
          Action: 'lambda:InvokeFunction',
          FunctionName: { Ref: 'Worker' },
          Principal: 'apigateway.amazonaws.com',
          SourceArn,
        },
      },
    });
    const event = { requestContext: { apiId: 'abc', stage: '$default', routeKey, http: { method } } };
    return iamOf(stack).callers.ofGateways(invoke)(stack.arn('Worker'), event);
  };
  const arn = 'arn:aws:execute-api:us-east-1:000000000000:abc';
  expect(await ask(arn + path)).toEqual({ ok: true, payload: 'invoked' });
  expect(await ask(`${arn}/$default/DELETE/pets`)).toEqual(DENIED);
});

it('a rule’s target that names a role acts in it, whatever the queue’s policy says', () => {
  const stack = stackOf({ Role: role(), Sender: roleWith(allow('sqs:SendMessage')), Worker: worker });
  const { denialOfTarget, denialOfBurial } = iamOf(stack).callers.ofBuses();
  const target = {
    arn: 'arn:aws:sqs:us-east-1:000000000000:jobs',
    ruleArn: 'arn:aws:events:us-east-1:000000000000:rule/rule',
    service: 'sqs' as const,
    roleArn: undefined,
    input: () => 'null',
    messageGroupId: undefined,
    deadLetterArn: undefined,
    retriesMax: 0,
    eventAgeMaxMs: 0,
  };
  expect(denialOfTarget(target)).toContain(
    'because no resource-based policy allows the sqs:SendMessage action',
  );
  expect(denialOfTarget({ ...target, roleArn: stack.arn('Sender') })).toBeUndefined();
  expect(denialOfTarget({ ...target, roleArn: stack.arn('Role') })).toContain(
    'because no identity-based policy',
  );
  expect(denialOfBurial(target.ruleArn, target.arn)).toContain('because no resource-based policy');
});

it('says once that what a function logs is lost, however much it is', () => {
  const lines: string[] = [];
  const printed: string[] = [];
  const stack = stackOf({ Role: roleWith(allow('logs:CreateLogStream')), Worker: worker });
  const log = iamOf(stack, (line) => lines.push(line)).callers.ofLogs((_, line) => printed.push(line));
  for (let n = 0; n < 3; n++) log('App-Worker', `line ${n}`);
  expect(lines).toEqual([
    'App-Worker: what it logs is lost: User: arn:aws:sts::000000000000:assumed-role/App-Role/App-Worker is not authorized ' +
      'to perform: logs:PutLogEvents on resource: arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/App-Worker:' +
      'log-stream:* because no identity-based policy allows the logs:PutLogEvents action',
  ]);
  log('server', 'is no function');
  expect(printed).toEqual(['is no function']);
});
