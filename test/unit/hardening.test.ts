import { expect, it } from 'vitest';
import { synthesised } from '../support/synthesised.ts';

it('has names that tell two deployments of one app apart', () => {
  const [dev, live] = ['shop-dev', 'shop-live'].map((stackName) => {
    const { resources } = synthesised({}, stackName);
    return ['AWS::Events::EventBus', 'AWS::ApiGatewayV2::Api'].map((type) => resources(type)[0].Name);
  });
  for (const name of dev ?? []) expect(name).toContain('shop-dev');
  for (const name of live ?? []) expect(name).toContain('shop-live');
});
