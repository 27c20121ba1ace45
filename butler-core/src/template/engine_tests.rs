use super::*;
use serde_json::json;

fn render(source: &str, fields: &Value) -> String {
    render_as(Escape::Html, source, fields)
}

fn render_as(escape: Escape, source: &str, fields: &Value) -> String {
    Template::compile("t", source, escape).and_then(|t| t.render(fields)).unwrap_or_else(|error| panic!("{source}: {error}"))
}

fn fault(source: &str) -> String {
    match Template::compile("t", source, Escape::Html).and_then(|t| t.render(&json!({ "n": 1 }))) {
        Ok(out) => panic!("{source}: rendered {out:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn html_is_escaped_in_two_braces_and_raw_in_three() {
    let fields = json!({ "x": "O'Brien & <co> \"q\" a=b" });
    assert_eq!(render("{{x}}", &fields), "O&#x27;Brien &amp; &lt;co&gt; &quot;q&quot; a&#x3D;b");
    assert_eq!(render("{{{x}}}|{{&x}}", &fields), "O'Brien & <co> \"q\" a=b|O'Brien & <co> \"q\" a=b");
    assert_eq!(render_as(Escape::None, "{{x}}", &fields), "O'Brien & <co> \"q\" a=b");
    assert_eq!(render_as(Escape::SlackText, "{{x}}", &fields), "O'Brien &amp; &lt;co&gt; \"q\" a=b");
}

#[test]
fn values_become_text_as_in_javascript() {
    let fields =
        json!({ "list": ["a", "b"], "flag": false, "o": { "a": 1 }, "none": null, "n": 3.0, "f": 2.5, "deep": [["a", 1], null, true] });
    assert_eq!(render("{{list}}", &fields), "a,b");
    assert_eq!(render("{{flag}}", &fields), "false");
    assert_eq!(render("{{o}}|{{none}}|{{absent}}|{{o.x.y}}", &fields), "[object Object]|||");
    assert_eq!(render("{{n}} {{f}} {{{deep}}}", &fields), "3 2.5 a,1,,true");
}

#[test]
fn a_field_can_be_a_text_and_have_parts() {
    let fields = json!({ "s": { "name": "Finance & co", "$text": "Finance & co" }, "empty": "" });
    assert_eq!(render("{{s}}|{{s.name}}|{{{s.name}}}", &fields), "Finance &amp; co|Finance &amp; co|Finance & co");
    assert_eq!(render("{{#if (eq s 'Finance & co')}}same{{/if}}{{empty.name}}", &fields), "same");
}

#[test]
fn eq_compares_without_conversion() {
    let list = "{{#each g}}{{#if (eq id \"a\")}}[{{this.url}}]{{/if}}{{/each}}";
    assert_eq!(render(list, &json!({ "g": [{ "id": "a", "url": "u" }, { "id": "b", "url": "v" }] })), "[u]");
    let eight = "{{#if (eq n 8)}}8{{else}}no{{/if}}";
    assert_eq!(render(eight, &json!({ "n": 8 })), "8");
    assert_eq!(render(eight, &json!({ "n": 8.0 })), "8");
    assert_eq!(render(eight, &json!({ "n": "8" })), "no");
    assert_eq!(render("{{#if (eq a.b 'x')}}yes{{/if}}", &json!({ "a": { "b": "x" } })), "yes");
    assert_eq!(render("{{#if (eq absent null)}}yes{{else}}no{{/if}}", &json!({})), "no");
}

#[test]
fn if_takes_the_same_branch_as_in_javascript() {
    for (value, expected) in [
        (json!(0), "no"),
        (json!(0.0), "no"),
        (json!(""), "no"),
        (json!([]), "no"),
        (json!(null), "no"),
        (json!(false), "no"),
        (json!({}), "yes"),
        (json!("0"), "yes"),
        (json!(1e-320), "yes"),
        (json!([0]), "yes"),
    ] {
        assert_eq!(render("{{#if v}}yes{{else}}no{{/if}}", &json!({ "v": value })), expected, "{value}");
        assert_eq!(render("{{#unless v}}no{{else}}yes{{/unless}}", &json!({ "v": value })), expected, "{value}");
    }
    assert_eq!(render("{{#if v includeZero=true}}yes{{/if}}", &json!({ "v": 0 })), "yes");
    assert_eq!(render("{{#if a}}A{{else if b}}B{{else}}C{{/if}}", &json!({ "b": 1 })), "B");
}

#[test]
fn loops_know_where_they_are() {
    let fields = json!({ "top": "T", "list": ["x", "y"], "items": [{ "n": 1, "tags": ["a"] }, { "n": 2, "tags": [] }] });
    assert_eq!(render("{{#each list}}{{@index}}{{this}}{{#unless @last}},{{/unless}}{{/each}}", &fields), "0x,1y");
    assert_eq!(render("{{#each items}}{{n}}{{../top}}{{@root.top}}{{#each tags}}{{this}}{{/each}}{{/each}}", &fields), "1TTa2TT");
    assert_eq!(render("{{#each absent}}x{{else}}none{{/each}}", &fields), "none");
    assert_eq!(render("{{#with items.[0]}}{{n}}{{/with}}{{lookup list 1}}{{list.[0]}}{{list.1}}", &fields), "1yxy");
    assert_eq!(render("{{#each items as |item|}}{{item.n}}{{item.tags.length}}{{/each}}", &fields), "1120");
    assert_eq!(render("{{#if list.length}}{{list.length}}{{/if}}{{top.length}}{{list.nothing}}", &fields), "21");
}

#[test]
fn a_block_may_be_named_after_a_field() {
    let fields = json!({ "list": ["x", "y"], "o": { "a": 1 }, "yes": true, "no": false, "text": "T", "none": [] });
    assert_eq!(render("{{#list}}{{.}}{{/list}}{{#none}}x{{else}}none{{/none}}", &fields), "xynone");
    assert_eq!(render("{{#o}}{{a}}{{/o}}{{#yes}}{{o.a}}{{/yes}}{{#no}}x{{else}}n{{/no}}{{#text}}{{this}}{{/text}}", &fields), "11nT");
    assert_eq!(render("{{#absent}}x{{/absent}}{{#list}}{{#if @first}}{{@root.text}}{{/if}}{{/list}}", &fields), "T");
}

#[test]
fn a_caret_starts_what_is_shown_otherwise() {
    let fields = json!({ "list": ["x"], "none": [], "n": 0, "items": [{ "id": "a" }] });
    assert_eq!(
        render("{{^none}}none{{/none}}{{^list}}x{{/list}}{{^absent}}absent{{/absent}}{{~^ n }} zero{{/n}}", &fields),
        "noneabsent zero"
    );
    assert_eq!(render("{{#list}}x{{^}}y{{/list}}{{#none}}x{{^}}y{{/none}}{{^if n}}z{{/if}}", &fields), "xyz");
    assert_eq!(render("{{#each items}}{{^url}}{{id}} has none{{/url}}{{/each}}", &fields), "a has none");
    assert_eq!(render("{{! ^a }}{{!-- {{^none}} --}}ok {{lookup fields '^'}}", &fields), "ok ");
}

#[test]
fn what_the_originals_templates_are_made_of() {
    let fields = json!({ "genericUrls": [{ "id": "docs", "linkText": "Docs & more", "url": "https://x/?a=1&b=2" }, { "id": "home", "linkText": "Home", "url": "https://y/" }], "tags": ["a"], "properties": [{ "name": "n", "value": "v" }], "duration": { "hours": 0, "minutes": 2 }, "log": "x < y\r\nz" });
    let html = "{{#each genericUrls}}\n{{!-- only one of them: --}}\n{{!-- {{#if (eq id \"docs\")}} --}}\n<a href=\"{{this.url}}\">{{this.linkText}}</a>\n{{!-- {{/if}} --}}\n{{/each}}\n";
    let docs = "<a href=\"https://x/?a&#x3D;1&amp;b&#x3D;2\">Docs &amp; more</a>\n";
    assert_eq!(render(html, &fields), format!("{docs}<a href=\"https://y/\">Home</a>\n"));
    let one = html.replace("{{!-- {{#if (eq id \"docs\")}} --}}", "{{#if (eq id \"docs\")}}").replace("{{!-- {{/if}} --}}", "{{/if}}");
    assert_eq!(render(&one, &fields), docs);
    let rows = "  {{#each tags}}\n    {{this}}<br>\n  {{/each}}\n{{#each properties}}\n{{this.name}}: {{this.value}}\n{{/each}}\n<pre>{{ log }}{{{ log }}}</pre> {{duration.hours}} h {{duration.minutes}} min{{nothing.at.all}}";
    assert_eq!(render(rows, &fields), "    a<br>\nn: v\n<pre>x &lt; y\r\nzx < y\r\nz</pre> 0 h 2 min");
}

#[test]
fn a_dot_is_the_current_value() {
    let fields = json!({ "list": ["x", "y"], "m": { "x": 1, "y": 2 } });
    assert_eq!(render("{{#each list}}{{.}}{{{ . }}}{{~ . ~}} . {{! . }}{{lookup @root.m .}}{{/each}}", &fields), "xxx. 1yyy. 2");
    let fields = json!({ "list": ["x . y", "x"] });
    assert_eq!(render("{{#each list}}{{#if (eq . 'x . y')}}{{./this}}{{/if}}{{/each}}", &fields), "x . y");
}

#[test]
fn whitespace_is_controlled() {
    assert_eq!(render("a  {{~x~}}  b", &json!({ "x": 1 })), "a1b");
    assert_eq!(render("a\n{{#if x}}\nb\n{{/if}}\nc\n", &json!({ "x": 1 })), "a\nb\nc\n");
    assert_eq!(render("a\r\n{{#each l}}\r\n  {{this}}\r\n{{/each}}\r\nc", &json!({ "l": [1, 2] })), "a\r\n  1\r\n  2\r\nc");
    assert_eq!(render("a{{! b }}{{!-- c }} --}}d", &json!({})), "ad");
    assert_eq!(render("\u{feff}a", &json!({})), "a");
}

#[test]
fn json_stays_json_whatever_the_values_are() {
    let nasty = "a\\q \"quoted\"\r\n\t<b> & `c` = 'd' \u{1}\u{2028}";
    let fields = json!({ "x": nasty, "n": 5, "b": true, "list": ["\"", "\\"] });
    let out = render_as(
        Escape::SlackJson,
        r#"{"a":"{{x}}","b":"{{{x}}}","c":{{n}},"d":{{{b}}},"e":"{{list}}","f":"{{lookup list 0}}"}"#,
        &fields,
    );
    let out: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{out}: {error}"));
    assert_eq!(out["a"], "a\\q \"quoted\"\r\n\t&lt;b&gt; &amp; `c` = 'd' \u{1}\u{2028}");
    assert_eq!(out["b"], nasty);
    assert_eq!((&out["c"], &out["d"], &out["e"], &out["f"]), (&json!(5), &json!(true), &json!("\",\\"), &json!("\"")));
    let out = render_as(Escape::Json, r#"["{{x}}","{{&x}}"]"#, &fields);
    assert_eq!(serde_json::from_str::<Value>(&out).ok(), Some(json!([nasty, nasty])));
}

#[test]
fn partials_are_included_with_their_parameters() {
    let partials = [("row".to_owned(), "<{{label}}:{{value}}>".to_owned()), ("parts/deep".to_owned(), "{{> row label='d'}}".to_owned())];
    let template =
        Template::compile_with("t", "{{> row label='a' value=x}}{{#each l}}{{> parts/deep value=this}}{{/each}}", Escape::Html, &partials);
    assert_eq!(template.and_then(|t| t.render(&json!({ "x": 1, "l": [2, 3] }))).as_deref(), Ok("<a:1><d:2><d:3>"));
}

#[test]
fn partials_that_would_not_end_are_refused() {
    for (partials, source) in [
        (vec![("a", "{{> b}}"), ("b", "{{> a}}")], "{{> a}}"),
        (vec![("a", "{{#if x}}{{> a}}{{/if}}")], "{{> a}}"),
        (vec![("a", "{{> (lookup . 'x')}}")], "{{> a}}"),
        (vec![], "{{#*inline \"a\"}}{{> b}}{{/inline}}{{#*inline \"b\"}}{{> a}}{{/inline}}{{> a}}"),
    ] {
        let partials: Vec<_> = partials.into_iter().map(|(name, source)| (name.to_owned(), source.to_owned())).collect();
        let error = Template::compile_with("t", source, Escape::Html, &partials).err().map(|error| error.to_string());
        assert!(error.as_ref().is_some_and(|error| error.contains("includes itself")), "{source}: {error:?}");
    }
}

#[test]
fn output_and_nesting_are_bounded() {
    let list: Vec<u32> = (0..300).collect();
    let template = Template::compile("t", "{{#each l}}{{#each ../l}}{{#each ../../l}}xxxxxxxxxx{{/each}}{{/each}}{{/each}}", Escape::Html);
    let error = template.and_then(|t| t.render(&json!({ "l": list }))).err().map(|error| error.to_string());
    assert_eq!(error.as_deref(), Some("t: the output is longer than 4194304 bytes"));
    assert!(fault(&"{{#if a}}".repeat(5000)).contains("nested"));
    assert!(fault(&"{{^a}}".repeat(5000)).contains("nested"));
    assert!(fault(&format!("{{{{x {}a{}}}}}", "(".repeat(5000), ")".repeat(5000))).contains("nested"));
}

#[test]
fn faults_name_the_template_and_the_place() {
    insta::assert_snapshot!(
        ["{{foo 1}}", "line\n{{#if a}}", "{{#if (nope 1)}}{{/if}}", "{{#nope n}}{{/nope}}", "{{> nope}}", "{{#if a}}{{/each}}", "{{a", "{{#each}}{{/each}}"]
            .map(fault)
            .join("\n"),
        @r#"
        t, line 1, column 1: there is no helper `foo`
        t, line 2, column 10: a block such as `{{#if ...}}` is opened before this and not closed, or a tag is not well formed
        t, line 1, column 1: there is no helper `nope`
        t, line 1, column 1: there is no helper `nope`
        t, line 1, column 1: there is no partial `nope`
        t, line 1, column 10: helper "if" was opened, but "each" is closing
        t, line 1, column 4: this is no well formed tag; `{{` starts one, and `}}` ends it
        t, line 1, column 1: the helper `each` needs a value to work on
        "#
    );
}

proptest::proptest! {
    #[test]
    fn nothing_panics(source in "[a{}#/!>&~^ ()\\[\\].|\"'=\\\\@x0-9\n-]{0,60}") {
        if let Ok(template) = Template::compile("t", &source, Escape::SlackJson) {
            let _ = template.render(&json!({ "a": ["b", { "x": 1 }], "x": "y" }));
        }
    }

    #[test]
    fn any_value_in_json_reads_back(value in ".*") {
        let out = render_as(Escape::SlackJson, r#"["{{{x}}}", "{{x}}"]"#, &json!({ "x": value }));
        let out: Vec<String> = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{out}: {error}"));
        proptest::prop_assert_eq!(&out[0], &value);
        proptest::prop_assert_eq!(out[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"), value);
    }
}
