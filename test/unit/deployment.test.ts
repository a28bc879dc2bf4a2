import { expect, it } from 'vitest';
import type { FanwireSettings } from '../../infra/settings.ts';
import { type Json, synthesised } from '../support/synthesised.ts';

const settings: FanwireSettings = { auth: { grants: true, tickets: true } };

it('has names that tell two deployments of one app apart', () => {
  const [dev, live] = ['shop-dev', 'shop-live'].map((stackName) => {
    const { resources } = synthesised(settings, stackName);
    const [bus, clients, tickets] = ['AWS::Events::EventBus', 'AWS::ApiGatewayV2::Api'].flatMap((type) =>
      resources(type).map(({ Name }) => Name),
    );
    expect(clients).not.toBe(tickets);
    return [bus, clients, tickets];
  });
  for (const name of dev ?? []) expect(name).toContain('shop-dev');
  for (const name of live ?? []) expect(name).toContain('shop-live');
});

/** All that a resource waits for, itself or through others. */
function waitsFor(template: Json, id: string, found = new Set<string>()): Set<string> {
  for (const other of [template.Resources[id].DependsOn ?? []].flat()) {
    if (found.has(other)) continue;
    found.add(other);
    waitsFor(template, other, found);
  }
  return found;
}

it.each([
  ['of clients', /^FanwireApi/],
  ['of tickets', /^FanwireTicketsApi/],
])('changes one route of the API %s after the other, and the stage after all of them', (_, api) => {
  const { template } = synthesised(settings);
  const json = template.toJSON();
  const ids = Object.entries<Json>(json.Resources).flatMap(([id, { Type, Properties }]) =>
    /^AWS::ApiGatewayV2::(Route|Integration|RouteResponse|Stage)$/.test(Type) &&
    api.test(Properties.ApiId.Ref)
      ? [id]
      : [],
  );
  expect(ids.length).toBeGreaterThan(2);
  const numbers = ids.map((id) => ids.filter((other) => waitsFor(json, id).has(other)).length);
  expect(numbers.sort((a, b) => a - b)).toEqual(ids.map((_, index) => index));
  const [last] = ids.filter((id) => waitsFor(json, id).size === ids.length - 1);
  expect(json.Resources[last as string].Type).toBe('AWS::ApiGatewayV2::Stage');
});
