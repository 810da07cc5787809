import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.List;
import javax.xml.crypto.dom.DOMStructure;
import javax.xml.crypto.dsig.*;
import javax.xml.crypto.dsig.dom.DOMSignContext;
import javax.xml.crypto.dsig.keyinfo.*;
import javax.xml.crypto.dsig.spec.*;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.transform.*;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;
import org.w3c.dom.*;

/**
 * Signs one invoice again and again with the JDK's own XML signatures: reads its text, signs data and
 * signing time as hocphi does, writes the file. Arguments: key (PKCS#8 DER), certificate (DER), unsigned
 * invoice, seconds. Prints documents a second of this thread's processor time, without that of the
 * collector and the compiler.
 */
public class SignInvoices {
    static final String DSIG = XMLSignature.XMLNS;

    public static void main(String[] args) throws Exception {
        PrivateKey key = KeyFactory.getInstance("RSA")
            .generatePrivate(new PKCS8EncodedKeySpec(Files.readAllBytes(Path.of(args[0]))));
        X509Certificate certificate = (X509Certificate) CertificateFactory.getInstance("X.509")
            .generateCertificate(new ByteArrayInputStream(Files.readAllBytes(Path.of(args[1]))));
        byte[] invoice = Files.readAllBytes(Path.of(args[2]));
        long nanos = (long) (Double.parseDouble(args[3]) * 1e9);
        DocumentBuilderFactory parsers = DocumentBuilderFactory.newInstance();
        parsers.setNamespaceAware(true);
        XMLSignatureFactory factory = XMLSignatureFactory.getInstance("DOM");
        Transformer writer = TransformerFactory.newInstance().newTransformer();
        writer.setOutputProperty(OutputKeys.OMIT_XML_DECLARATION, "yes");
        // The compiler of the virtual machine gets as long as the measurement.
        run(nanos, key, certificate, invoice, parsers, factory, writer);
        System.out.println(run(nanos, key, certificate, invoice, parsers, factory, writer));
    }

    static long run(long nanos, PrivateKey key, X509Certificate certificate, byte[] invoice,
            DocumentBuilderFactory parsers, XMLSignatureFactory factory, Transformer writer) throws Exception {
        long begun = processorNanos();
        long signed = 0;
        while (processorNanos() - begun < nanos) {
            sign(key, certificate, invoice, parsers, factory, writer);
            signed++;
        }
        return signed * 1_000_000_000L / Math.max(1, processorNanos() - begun);
    }

    static long processorNanos() {
        return java.lang.management.ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
    }

    static byte[] sign(PrivateKey key, X509Certificate certificate, byte[] invoice,
            DocumentBuilderFactory parsers, XMLSignatureFactory factory, Transformer writer) throws Exception {
        Document document = parsers.newDocumentBuilder().parse(new ByteArrayInputStream(invoice));
        Element data = (Element) document.getElementsByTagName("DLHDon").item(0);
        data.setIdAttributeNS(null, "Id", true);
        String id = data.getAttribute("Id");
        Element slots = document.createElement("DSCKS");
        Element slot = document.createElement("NBan");
        slots.appendChild(slot);
        document.getDocumentElement().appendChild(slots);

        Element time = document.createElementNS(DSIG, "SigningTime");
        time.setTextContent("2026-11-23T09:15:00");
        SignatureProperty property = factory.newSignatureProperty(
            List.of(new DOMStructure(time)), "#NBan-" + id, "SP-" + id);
        XMLObject object = factory.newXMLObject(
            List.of(factory.newSignatureProperties(List.of(property), null)), "ST-" + id, null, null);
        DigestMethod sha256 = factory.newDigestMethod(DigestMethod.SHA256, null);
        SignedInfo info = factory.newSignedInfo(
            factory.newCanonicalizationMethod(CanonicalizationMethod.INCLUSIVE, (C14NMethodParameterSpec) null),
            factory.newSignatureMethod("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", null),
            List.of(factory.newReference("#" + id, sha256), factory.newReference("#ST-" + id, sha256)));
        KeyInfoFactory keys = factory.getKeyInfoFactory();
        KeyInfo keyInfo = keys.newKeyInfo(List.of(keys.newX509Data(
            List.of(certificate.getSubjectX500Principal().getName(), certificate))));
        DOMSignContext context = new DOMSignContext(key, slot);
        factory.newXMLSignature(info, keyInfo, List.of(object), "NBan-" + id, null).sign(context);
        ByteArrayOutputStream file = new ByteArrayOutputStream(invoice.length + 6000);
        writer.transform(new DOMSource(document), new StreamResult(file));
        return file.toByteArray();
    }
}
