//! Schemas: what values they allow, judged by the direction in which the values are sent.

use super::context::{Comparison, MAX_STEPS, SchemaPair};
use super::found::Change;
use super::sides::{Side, Sides};
use crate::normal::{Schema, SchemaRef};
use crate::rules::rule;

impl<'a> Comparison<'a> {
    /// Compares two schemas.
    pub(super) fn schema(&mut self, pair: &SchemaPair<'a>) {
        let schemas = pair.schemas.map(Schema::of);
        for (side, schema) in [(Side::Base, &schemas.base), (Side::Revision, &schemas.revision)] {
            for pointer in &schema.reached {
                self.reach(side, pointer.clone());
            }
        }
        self.renamed(pair);
        if schemas.base.too_deep || schemas.revision.too_deep {
            self.steps = MAX_STEPS + 1;
            return;
        }
        if schemas.base.unresolved != schemas.revision.unresolved {
            let at = schemas.schema_pointers();
            let values = (pair.schemas.base.value(), pair.schemas.revision.value());
            let found = pair.found(rule!("reference-unresolved"), Change::Other, at).values(values);
            return self.add(found.what("a reference cannot be resolved"));
        }
        self.schema_annotations(pair, &schemas);
        self.folded_alternatives(pair, &schemas);
        if self.wrapped(pair, &schemas) {
            return;
        }
        self.keywords(pair, &schemas);
        self.defaults(pair, &schemas);
        self.marks(pair, &schemas);
        self.xml(pair, &schemas);
        self.properties(pair, &schemas);
        let items: Sides<SchemaRef<'a>> = schemas.map(Schema::items);
        self.queue(items, pair.usage, &pair.site, &format!("{}[]", pair.path));
        self.groups(pair, &schemas);
        self.nots(pair, &schemas);
        self.discriminators(pair, &schemas);
    }
}
